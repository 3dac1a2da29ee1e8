package control

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"

	"hotswap/internal/online"
	"hotswap/internal/store"
)

// The keys, as RegenerateKey names them (Azure ML REST API, KeyType).
const (
	PrimaryKey   = "Primary"
	SecondaryKey = "Secondary"
)

// newKey returns a key of 256 random bits.
func newKey() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// sealKeys returns the sealed keys of an endpoint: those given, else those it has, else new ones.
func (c *Control) sealKeys(row store.Endpoint, given online.Keys) ([]byte, error) {
	var has online.Keys
	if row.SealedKeys != nil {
		var err error
		if has, err = c.openKeys(row); err != nil {
			return nil, err
		}
	}
	return c.seal(row.Name, online.Keys{
		Primary:   cmp.Or(given.Primary, has.Primary, newKey()),
		Secondary: cmp.Or(given.Secondary, has.Secondary, newKey()),
	})
}

// seal refuses keys that no Authorization header can carry.
func (c *Control) seal(endpoint string, keys online.Keys) ([]byte, error) {
	if strings.ContainsFunc(keys.Primary+keys.Secondary, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, online.Errorf(online.Invalid, "the key given to endpoint %q: want printable ASCII characters without blanks", endpoint)
	}
	text, err := json.Marshal(keys)
	return c.Keyring.Seal(text, owner(endpoint)), err
}

func (c *Control) openKeys(row store.Endpoint) (keys online.Keys, err error) {
	text, err := c.Keyring.Open(row.SealedKeys, owner(row.Name))
	if err != nil {
		return keys, err
	}
	return keys, json.Unmarshal(text, &keys)
}

func owner(endpoint string) string { return "keys of endpoint " + endpoint }

// digests are what the gateway gets of the keys.
func digests(keys online.Keys) [][32]byte {
	return [][32]byte{sha256.Sum256([]byte(keys.Primary)), sha256.Sum256([]byte(keys.Secondary))}
}

// Keys returns the two keys of an endpoint; one that wants tokens has none.
func (c *Control) Keys(ctx context.Context, endpoint string) (primary, secondary string, err error) {
	var row store.Endpoint
	err = c.Store.View(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.Endpoint(ctx, endpoint)
		return err
	})
	if err != nil {
		return "", "", err
	}
	if err := wantsKeys(row); err != nil {
		return "", "", err
	}
	keys, err := c.openKeys(row)
	return keys.Primary, keys.Secondary, err
}

func wantsKeys(row store.Endpoint) error {
	if row.AuthMode != online.KeyAuth {
		return online.Errorf(online.Invalid, "endpoint %q has no keys: its auth mode is %s", row.Name, row.AuthMode)
	}
	return nil
}

// RegenerateKey puts another key in the place of the one that which names, Primary or Secondary.
// It is the given value, or a new one where value is empty or is the key already: the Python SDK
// sends the old one (azure-ai-ml 1.34.0, _regenerate_online_keys).
func (c *Control) RegenerateKey(ctx context.Context, endpoint, which, value string) (online.Operation, error) {
	o := newOperation(endpoint, "", false)
	return c.changeEndpoint(ctx, o, func(row *store.Endpoint) error {
		if err := wantsKeys(*row); err != nil {
			return err
		}
		keys, err := c.openKeys(*row)
		if err != nil {
			return err
		}
		key := map[string]*string{"primary": &keys.Primary, "secondary": &keys.Secondary}[lower(which)]
		switch {
		case key == nil:
			return online.Errorf(online.Invalid, "key type %q: want %s or %s", which, PrimaryKey, SecondaryKey)
		case value == "" || value == *key:
			value = newKey()
		}
		*key = value
		row.SealedKeys, err = c.seal(row.Name, keys)
		return err
	})
}
