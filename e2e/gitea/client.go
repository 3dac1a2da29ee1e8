package gitea

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// client calls the API as one user.
type client struct {
	url            string // of the API
	user, password string // used where there is no token
	token          string
}

// RefusedError is an answer that isn't 2xx.
type RefusedError struct {
	Status  int
	Message string
}

func (r *RefusedError) Error() string { return fmt.Sprintf("status %d: %s", r.Status, r.Message) }

// Do is one call: in is sent as JSON, out is read from it, and each may be nil. A *[]byte takes the answer as it is.
func (c client) Do(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, c.url+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	switch {
	case c.token != "":
		req.Header.Set("Authorization", "token "+c.token)
	case c.user != "":
		req.SetBasicAuth(c.user, c.password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("%s %s: %w", method, path, &RefusedError{resp.StatusCode, string(text)})
	case out == nil:
		return nil
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = text
		return nil
	}
	return json.Unmarshal(text, out)
}

// Must is a call that the test can't do without.
func (c client) Must(t testing.TB, method, path string, in, out any) {
	t.Helper()
	if err := c.Do(method, path, in, out); err != nil {
		t.Fatal(err)
	}
}

// newToken makes a token with which the user may do all that it may do.
func (c client) newToken(t testing.TB, user string) string {
	t.Helper()
	var token struct {
		SHA1 string `json:"sha1"`
	}
	c.Must(t, "POST", "/users/"+user+"/tokens", map[string]any{"name": "test", "scopes": []string{"all"}}, &token)
	return token.SHA1
}
