package blob

import (
	"bytes"
	"cmp"
	"crypto/md5" //nolint:gosec // because Content-MD5 is what the protocol has
	"encoding/base64"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// maxBlockID is the size of a block's id before it is encoded.
const maxBlockID = 64

// maxBlockList is more than 50,000 ids take in XML.
const maxBlockList = 16 << 20

func (c *call) putBlock() error {
	container, err := c.Store.container(c.container)
	if err != nil {
		return err
	}
	id := c.query.Get("blockid")
	if raw, err := base64.StdEncoding.DecodeString(id); err != nil || len(raw) == 0 || len(raw) > maxBlockID {
		return errBlockID
	}
	s, sum, err := c.receive(container, nil)
	if err != nil {
		return err
	}
	if err := container.stage(c.blob, id, s); err != nil {
		container.discard([]*segment{s})
		return err
	}
	c.w.Header().Set("Content-MD5", base64.StdEncoding.EncodeToString(sum))
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

func (c *call) putBlockList() error {
	container, err := c.Store.container(c.container)
	if err != nil {
		return err
	}
	list, err := c.readBlockList()
	if err != nil {
		return err
	}
	properties, allowed, err := c.upload()
	if err != nil {
		return err
	}
	var fresh []*segment
	v, err := container.commit(write{blob: c.blob, allowed: allowed, content: true, next: func(old *version) (rec record, err error) {
		rec.Properties = properties
		rec.Segments, fresh, err = container.assemble(c.blob, old, list)
		for _, s := range rec.Segments {
			rec.Size += s.Size
		}
		return rec, err
	}})
	if v == nil {
		container.discard(fresh)
	}
	if err != nil {
		return err
	}
	return c.created(v)
}

type blockListBody struct {
	XMLName xml.Name `xml:"BlockList"`
	Blocks  []struct {
		XMLName xml.Name
		ID      string `xml:",chardata"`
	} `xml:",any"`
}

func (c *call) readBlockList() ([]blockChoice, error) {
	sent, err := decodeMD5(c.r.Header.Get("Content-MD5"))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(c.r.Body, maxBlockList+1))
	sum := md5.Sum(text) //nolint:gosec // because Content-MD5 is what the protocol has
	switch {
	case err != nil:
		return nil, errIncomplete
	case len(text) > maxBlockList:
		return nil, c.tooLarge(maxBlockList)
	case sent != nil && !bytes.Equal(sent, sum[:]):
		return nil, errMD5
	}
	var body blockListBody
	if err := xml.Unmarshal(text, &body); err != nil {
		return nil, errXML
	}
	if len(body.Blocks) > maxBlocks {
		return nil, errBlockListTooLong
	}
	list := make([]blockChoice, len(body.Blocks))
	for i, b := range body.Blocks {
		if w := b.XMLName.Local; w != "Latest" && w != "Committed" && w != "Uncommitted" {
			return nil, errXML
		}
		list[i] = blockChoice{b.XMLName.Local, b.ID}
	}
	return list, nil
}

type blockXML struct {
	Name string
	Size int64
}

// blocksXML has an element for each kind of block that was asked for, empty where there are none.
type blocksXML struct {
	XMLName     xml.Name   `xml:"BlockList"`
	Committed   *blocksOne `xml:"CommittedBlocks"`
	Uncommitted *blocksOne `xml:"UncommittedBlocks"`
}

type blocksOne struct {
	Blocks []blockXML `xml:"Block"`
}

func (c *call) getBlockList() error {
	container, err := c.Store.container(c.container)
	if err != nil {
		return err
	}
	kind := cmp.Or(c.query.Get("blocklisttype"), "committed")
	if kind != "committed" && kind != "uncommitted" && kind != "all" {
		return invalidQuery("blocklisttype", "want committed, uncommitted or all")
	}
	v, waiting := container.blocks(c.blob)
	if v == nil && len(waiting) == 0 {
		return errBlobNotFound
	}
	var answer blocksXML
	if v != nil {
		c.versionHeaders(v)
		c.w.Header().Set("x-ms-blob-content-length", strconv.FormatInt(v.Size, 10))
	}
	if kind != "uncommitted" {
		answer.Committed = &blocksOne{committedBlocks(v)}
	}
	if kind != "committed" {
		answer.Uncommitted = &blocksOne{waiting}
	}
	return c.answerXML(http.StatusOK, answer)
}

func committedBlocks(v *version) (blocks []blockXML) {
	if v == nil {
		return nil
	}
	for _, s := range v.Segments {
		if s.Block != "" {
			blocks = append(blocks, blockXML{s.Block, s.Size})
		}
	}
	return blocks
}

// blocks returns the current version of a blob, nil where there is none, and the blocks that wait,
// by their ids. The version must not be read: it isn't held.
func (c *container) blocks(blob string) (*version, []blockXML) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var v *version
	if i, found := c.find(blob); found {
		v = c.blobs[i]
	}
	staged := c.staged[key(blob)]
	waiting := make([]blockXML, 0, len(staged))
	for _, id := range slices.Sorted(maps.Keys(staged)) {
		waiting = append(waiting, blockXML{id, staged[id].size})
	}
	return v, waiting
}
