// Package load is the clients that a scoring endpoint is put under load with: each keeps one
// connection alive, has one request under way, and never sends a request twice. What net/http's
// client would mend by a retry is a failure here.
package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
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
	Header http.Header
	Body   []byte
	Took   time.Duration
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
	if c.conn == nil {
		if err := c.connect(ctx); err != nil {
			return Answer{}, err
		}
	}
	began := time.Now()
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
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode, Header: resp.Header}
	if a.Body, err = io.ReadAll(resp.Body); err != nil {
		return a, err
	}
	if resp.Close {
		c.Close() // the server said so, in order: the next request connects anew
	}
	return a, nil
}
