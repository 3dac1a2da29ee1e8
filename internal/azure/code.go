package azure

import (
	"context"
	"crypto/md5" //nolint:gosec // because it is the checksum that a blob store keeps
	"io"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/google/uuid"

	"hotswap/internal/online"
)

// Code is a folder of code: one on this machine, or one that is registered.
type Code struct {
	Ref   online.Ref // zero where it is not registered
	Hash  string     // of the content, as a search for it wants it; "" where it is not known
	Files []File     // in the order of their names
}

// File is one file of a folder of code.
type File struct {
	Name string // relative to the folder, with slashes
	Size int64
	MD5  []byte // nil where the store keeps none
}

// FindCode reads a folder of code on this machine, and finds whether it is registered. It uploads
// nothing.
func (c *Client) FindCode(ctx context.Context, dir string) (Code, error) {
	up, err := readUpload(dir)
	if err != nil {
		return Code{}, err
	}
	code := Code{Hash: up.hash}
	for _, f := range up.files {
		sum, err := up.md5(f.name)
		if err != nil {
			return code, online.Errorf(online.Invalid, "read %s: %w", dir, err)
		}
		code.Files = append(code.Files, File{Name: f.name, Size: f.size, MD5: sum})
	}
	code.sort()
	code.Ref, err = c.findCode(ctx, uuid.NewString(), up.hash)
	return code, err
}

// Code reads a registered version of code and lists its files.
func (c *Client) Code(ctx context.Context, ref online.Ref) (Code, error) {
	code := Code{Ref: ref}
	resp, err := c.factory.NewCodeVersionsClient().Get(ctx, c.workspace.ResourceGroup, c.workspace.Name, ref.Name, ref.Version, nil)
	if err != nil {
		return code, failed(err, "read code %q version %q", ref.Name, ref.Version)
	}
	p := value(resp.Properties)
	code.Hash = value(p.Properties["hash_sha256"])
	store, path, err := c.at(ctx, value(p.CodeURI))
	if err != nil {
		return code, online.Errorf(online.CodeOf(err), "list the files of %s: %w", ref, err)
	}
	path += "/"
	for pager := store.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &path}); pager.More(); {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return code, failedBlob(err, "list the files of %s", ref)
		}
		for _, item := range page.Segment.BlobItems {
			f := File{Name: strings.TrimPrefix(value(item.Name), path)}
			if item.Properties != nil {
				f.Size, f.MD5 = value(item.Properties.ContentLength), item.Properties.ContentMD5
			}
			if f.Name != "" && !strings.HasSuffix(f.Name, "/") { // which stands for a folder
				code.Files = append(code.Files, f)
			}
		}
	}
	code.sort()
	return code, nil
}

func (c *Code) sort() {
	slices.SortFunc(c.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
}

func (f folder) md5(name string) ([]byte, error) {
	r, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	h := md5.New() //nolint:gosec // because it is the checksum that a blob store keeps
	_, err = io.Copy(h, r)
	return h.Sum(nil), err
}

// ContentHash is the hash of a file's or folder's content on this machine, under which it is
// uploaded.
func ContentHash(path string) (string, error) {
	up, err := readUpload(path)
	return up.hash, err
}
