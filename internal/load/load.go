// Package load is the clients that a scoring endpoint is put under load with: each keeps one
// connection alive, has one request under way, and never sends a request twice. What net/http's
// client would mend by a retry is a failure here.
package load

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client is one keep-alive connection to one URL. It is for one goroutine.
type Client struct {
	url    *url.URL
	tls    *tls.Config
	header string // of every request, as it is on the wire

	conn   net.Conn
	reader *bufio.Reader
	buffer []byte
}

// Answer is what came back for one request.
type Answer struct {
	Status int
	Header Header
	Body   []byte
	Took   time.Duration // connecting included, where that was needed
}

// Header is the head of an answer as it came.
type Header string

// Get returns the value of the first field with that name, in whatever case, or "".
func (h Header) Get(name string) string {
	for line := range strings.SplitSeq(string(h), "\r\n") {
		if key, value, found := strings.Cut(line, ":"); found && strings.EqualFold(key, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// patience bounds one request: twice Azure's longest request timeout would still be a hang.
const patience = 60 * time.Second

// NewClient returns a client of the URL, https or http. It connects with the first request.
func NewClient(rawURL string, conf *tls.Config, header map[string]string) (*Client, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	var head strings.Builder
	fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n", u.RequestURI(), u.Host)
	for name, value := range header {
		fmt.Fprintf(&head, "%s: %s\r\n", name, value)
	}
	return &Client{url: u, tls: conf, header: head.String()}, nil
}

// Post sends one request and reads its answer. After an error the next request connects anew.
func (c *Client) Post(ctx context.Context, body []byte) (Answer, error) {
	began := time.Now() // a server that closes its connections makes its clients wait for new ones
	if c.conn == nil {
		if err := c.connect(ctx); err != nil {
			return Answer{}, err
		}
	}
	a, err := c.exchange(began, body)
	a.Took = time.Since(began)
	if err != nil {
		c.Close()
		return a, fmt.Errorf("post: %w", err)
	}
	return a, nil
}

// Close closes the connection.
func (c *Client) Close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *Client) connect(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.url.Host)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if c.url.Scheme == "https" {
		conf := c.tls.Clone()
		conf.ServerName = c.url.Hostname()
		secure := tls.Client(conn, conf)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return fmt.Errorf("connect: %w", err)
		}
		conn = secure
	}
	c.conn, c.reader = conn, bufio.NewReader(conn)
	return nil
}

func (c *Client) exchange(began time.Time, body []byte) (Answer, error) {
	if err := c.conn.SetDeadline(began.Add(patience)); err != nil {
		return Answer{}, err
	}
	c.buffer = append(c.buffer[:0], c.header...)
	c.buffer = fmt.Appendf(c.buffer, "Content-Length: %d\r\n\r\n", len(body))
	c.buffer = append(c.buffer, body...)
	if _, err := c.conn.Write(c.buffer); err != nil {
		return Answer{}, err
	}
	if a, ok, err := c.plain(); ok || err != nil {
		return a, err
	}
	return c.any()
}

// plain reads an answer that tells its length, as nearly all do, at little cost: the clients share
// the machine with what they measure. It reports false, with nothing read, for any other answer.
func (c *Client) plain() (a Answer, ok bool, err error) {
	head, err := c.peekHead()
	if err != nil {
		return a, false, err
	}
	a.Header = Header(head)
	length, err := strconv.Atoi(a.Header.Get("Content-Length"))
	if err != nil || !strings.HasPrefix(head, "HTTP/1.1 ") || len(head) < len("HTTP/1.1 200") {
		return Answer{}, false, nil
	}
	if a.Status, err = strconv.Atoi(head[len("HTTP/1.1 "):len("HTTP/1.1 200")]); err != nil {
		return Answer{}, false, nil
	}
	if _, err := c.reader.Discard(len(head)); err != nil {
		return a, false, err
	}
	a.Body = make([]byte, length)
	if _, err := io.ReadFull(c.reader, a.Body); err != nil {
		return a, false, err
	}
	if strings.EqualFold(a.Header.Get("Connection"), "close") {
		c.Close() // the server said so, in order: the next request connects anew
	}
	return a, true, nil
}

// peekHead returns the head of the next answer with its empty line, "" if it does not fit the buffer.
func (c *Client) peekHead() (string, error) {
	for n := 1; n <= c.reader.Size(); n = c.reader.Buffered() + 1 {
		if _, err := c.reader.Peek(n); err != nil {
			return "", err
		}
		seen, err := c.reader.Peek(c.reader.Buffered())
		if err != nil {
			return "", err
		}
		if end := bytes.Index(seen, []byte("\r\n\r\n")); end >= 0 {
			return string(seen[:end+len("\r\n\r\n")]), nil
		}
	}
	return "", nil
}

// any reads an answer of any kind.
func (c *Client) any() (Answer, error) {
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	var head strings.Builder
	_ = resp.Header.Write(&head) // a Builder takes all
	a := Answer{Status: resp.StatusCode, Header: Header(head.String())}
	if a.Body, err = io.ReadAll(resp.Body); err != nil {
		return a, err
	}
	if resp.Close {
		c.Close()
	}
	return a, nil
}
