package blob

import (
	"io"
	"os"
)

// reader reads the content of one version, or a part of it, and holds the version until it is closed.
type reader struct {
	container *container
	version   *version
	rest      []*segment // those not yet opened
	left      int64      // bytes to be read
	file      *os.File   // the segment that is being read; nil before the first
}

// only limits a fresh reader to size bytes from offset on.
func (r *reader) only(offset, size int64) error {
	for len(r.rest) > 0 && offset >= r.rest[0].Size {
		offset -= r.rest[0].Size
		r.rest = r.rest[1:]
	}
	r.left = size
	if offset == 0 {
		return nil
	}
	if err := r.open(); err != nil {
		return err
	}
	_, err := r.file.Seek(offset, io.SeekStart)
	return err
}

func (r *reader) open() (err error) {
	if r.file, err = os.Open(r.container.dataFile(r.rest[0])); err == nil {
		r.rest = r.rest[1:]
	}
	return err
}

func (r *reader) Read(p []byte) (int, error) {
	for r.left > 0 {
		if r.file == nil {
			if len(r.rest) == 0 {
				return 0, io.ErrUnexpectedEOF
			}
			if err := r.open(); err != nil {
				return 0, err
			}
		}
		n, err := r.file.Read(p[:min(int64(len(p)), r.left)])
		r.left -= int64(n)
		if err == io.EOF { //nolint:errorlint // because Read returns it bare
			err = r.file.Close()
			r.file = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

// Close ends the hold on the version; a second Close does nothing.
func (r *reader) Close() (err error) {
	if r.file != nil {
		err = r.file.Close()
	}
	if r.version != nil {
		r.container.release(r.version)
	}
	r.version, r.file, r.left = nil, nil, 0
	return err
}
