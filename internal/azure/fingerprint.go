package azure

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"hotswap/internal/online"
)

// readOnly are the fields of a deployment that only the service writes.
var readOnly = []string{"id", "name", "type", "systemData"}

// kept are the entries of properties.properties that Azure and its Python client keep there for
// themselves; they change without the deployment changing.
var kept = []string{"AzureAsyncOperationUri", "azureml.onlineendpointid", "createdBy", "createdAt", "lastModifiedAt"}

// Own is a deployment's properties without those that the service keeps there for itself.
func Own(properties map[string]string) map[string]string {
	own := map[string]string{}
	for key, v := range properties {
		if !slices.Contains(kept, key) {
			own[key] = v
		}
	}
	return own
}

// fingerprint is the time of creation and a hash over what else raw, the answer to a GET, says of
// a deployment but for what only the service writes. It is taken from the answer itself and not
// from the SDK's types, which drop what their version of the API doesn't know. The order of keys
// doesn't count, nor does whether something empty is left out.
func fingerprint(raw []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var resource map[string]any
	if err := d.Decode(&resource); err != nil {
		return "", fmt.Errorf("the answer is not JSON: %w", err)
	}
	system, _ := resource["systemData"].(map[string]any)
	created, _ := system["createdAt"].(string)
	if created == "" {
		return "", errors.New("the answer has no systemData.createdAt, so one deployment can't be told from the next of its name")
	}
	for _, key := range readOnly {
		delete(resource, key)
	}
	if tags, ok := resource["tags"].(map[string]any); ok {
		delete(tags, online.TagFence) // says who wrote, not what
	}
	if properties, ok := resource["properties"].(map[string]any); ok {
		delete(properties, "provisioningState")
		if own, ok := properties["properties"].(map[string]any); ok {
			for _, key := range kept {
				delete(own, key)
			}
		}
	}
	canonical, err := json.Marshal(pruned(resource))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return created + "/" + hex.EncodeToString(sum[:]), nil
}

// pruned is v without what is empty; nil where nothing is left.
func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if v[key] = pruned(value); v[key] == nil {
				delete(v, key)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
		if len(v) == 0 {
			return nil
		}
	}
	return v
}
