package frame

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"hotswap/internal/online"
)

// reader reads what a worker sends.
type reader struct {
	*bufio.Reader
	head []byte
}

// next reads the header of the next frame, which must be of the id and within the bounds of its kind.
// Its error is io.EOF only where the connection ended between two frames.
func (r *reader) next(id uint64) (kind byte, size int, err error) {
	header, err := r.Peek(headerSize)
	if err != nil {
		if len(header) > 0 && err == io.EOF { //nolint:errorlint // because bufio hands out the bare value
			err = io.ErrUnexpectedEOF
		}
		return 0, 0, err
	}
	kind = header[0]
	found, length := binary.BigEndian.Uint64(header[1:]), binary.BigEndian.Uint32(header[9:])
	if found != id || length > bound(kind) {
		return 0, 0, online.Errorf(online.Internal, "read a frame of kind %d, id %d, %d bytes while %d was due: %w", kind, found, length, id, ErrProtocol)
	}
	_, err = r.Discard(headerSize)
	return kind, int(length), err
}

// bound is the largest payload of a kind; none for a kind that is not known, for which next's
// callers have the words.
func bound(kind byte) uint32 {
	switch kind {
	case kindHello:
		return maxHello
	case kindHead:
		return maxHead
	case kindData:
		return maxData
	}
	return 0
}

// payload appends size bytes to b.
func (r *reader) payload(b []byte, size int) ([]byte, error) {
	n := len(b)
	b = slices.Grow(b, size)[:n+size]
	if _, err := io.ReadFull(r, b[n:]); err != nil {
		return b[:n], fmt.Errorf("read %d bytes of a frame: %w", size, truncated(err))
	}
	return b, nil
}

// truncated makes an end that must not be there told from one between two answers.
func truncated(err error) error {
	if err == io.EOF { //nolint:errorlint // because bufio hands out the bare value
		return io.ErrUnexpectedEOF
	}
	return err
}

// hello reads the greeting and returns the name of the worker's process.
func (r *reader) hello() (process string, err error) {
	kind, size, err := r.next(0)
	if err != nil {
		return "", err
	}
	if kind != kindHello {
		return "", online.Errorf(online.Internal, "read the worker's hello: a frame of kind %d: %w", kind, ErrProtocol)
	}
	if r.head, err = r.payload(r.head[:0], size); err != nil {
		return "", err
	}
	version, process, _ := strings.Cut(string(r.head), "\n")
	if version != Version {
		return "", online.Errorf(online.Internal, "read the worker's hello: it speaks version %.20q, this server %q: %w", version, Version, ErrProtocol)
	}
	return process, nil
}

// response reads the answer to request id. Its error is io.EOF where the worker closed the
// connection before the first byte of it.
func (r *reader) response(id uint64, to *Response) error {
	kind, size, err := r.next(id)
	if err != nil {
		return err
	}
	if kind != kindHead {
		return unexpected(kind, id)
	}
	if r.head, err = r.payload(r.head[:0], size); err != nil {
		return err
	}
	if err := to.parse(string(r.head)); err != nil {
		return err
	}
	return r.body(id, to)
}

// body reads DATA frames until END.
func (r *reader) body(id uint64, to *Response) error {
	to.Body = to.Body[:0]
	for {
		kind, size, err := r.next(id)
		switch {
		case err != nil:
			return truncated(err)
		case kind == kindEnd:
			return nil
		case kind != kindData:
			return unexpected(kind, id)
		case len(to.Body)+size > MaxBody:
			return online.Errorf(online.Internal, "read answer %d: its body has more than %d bytes: %w", id, MaxBody, ErrProtocol)
		}
		if to.Body, err = r.payload(to.Body, size); err != nil {
			return err
		}
	}
}

func unexpected(kind byte, id uint64) error {
	return online.Errorf(online.Internal, "read answer %d: an unexpected frame of kind %d: %w", id, kind, ErrProtocol)
}

// parse takes the head of an answer apart.
func (r *Response) parse(head string) error {
	line, fields, _ := strings.Cut(head, "\n")
	status, err := strconv.Atoi(line)
	if err != nil || status < 200 || status > 599 {
		return online.Errorf(online.Internal, "read an answer: status %.20q: %w", line, ErrProtocol)
	}
	r.Status, r.fields = status, fields
	return nil
}
