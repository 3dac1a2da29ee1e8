package gitea

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// User is somebody who calls the API.
type User struct {
	Name  string
	Token string // "": the password is used
	url   string // of the API
}

// password is every user's: the server is gone before anybody could try it.
const password = "correct-horse-battery"

// RefusedError is an answer that isn't 2xx.
type RefusedError struct {
	Status  int
	Message string
}

func (r *RefusedError) Error() string { return fmt.Sprintf("status %d: %s", r.Status, r.Message) }

// Do is one call: in is sent as JSON, out is read from it, and each may be nil. A *[]byte takes the answer as it is.
func (u User) Do(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, u.url+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	switch {
	case u.Token != "":
		req.Header.Set("Authorization", "token "+u.Token)
	case u.Name != "":
		req.SetBasicAuth(u.Name, password)
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
func (u User) Must(t testing.TB, method, path string, in, out any) {
	t.Helper()
	if err := u.Do(method, path, in, out); err != nil {
		t.Fatal(err)
	}
}

// CloneURL is where git finds a repository, with the right to push that the user has.
func (u User) CloneURL(repository string) string {
	scheme, rest, _ := strings.Cut(strings.TrimSuffix(u.url, "/api/v1"), "://")
	return fmt.Sprintf("%s://%s:%s@%s/%s.git", scheme, u.Name, u.Token, rest, repository)
}

// NewUser makes a user with a token for all that a user may do.
func (s *Server) NewUser(t testing.TB, name string) User {
	t.Helper()
	s.Must(t, "POST", "/admin/users", map[string]any{
		"username": name, "email": name + "@example.com", "password": password, "must_change_password": false,
	}, nil)
	return User{Name: name, Token: s.NewToken(t, name, "all"), url: s.url}
}

// NewToken makes a token of a user for some of what the user may do. Gitea asks for the password for that.
func (s *Server) NewToken(t testing.TB, user string, scopes ...string) string {
	t.Helper()
	var token struct {
		SHA1 string `json:"sha1"`
	}
	u := User{Name: user, url: s.url}
	u.Must(t, "POST", "/users/"+user+"/tokens", map[string]any{"name": strings.Join(scopes, " "), "scopes": scopes}, &token)
	return token.SHA1
}
