package arm

import (
	"strings"

	"hotswap/internal/online"
)

// Keys are the two keys of an endpoint.
type Keys struct {
	Primary   string `json:"primaryKey"`
	Secondary string `json:"secondaryKey"`
}

// The two keys, as keyType names them.
const (
	PrimaryKey   = "Primary"
	SecondaryKey = "Secondary"
)

// DecodeRegenerate reads which key is to be made anew, and the value it is to get ("" for a
// random one).
func DecodeRegenerate(body []byte) (which, value string, err error) {
	r, err := decode[struct {
		KeyType  string `json:"keyType"`
		KeyValue string `json:"keyValue"`
	}]("key", body)
	if err != nil {
		return "", "", err
	}
	which, err = oneOf("keyType", r.KeyType, "", PrimaryKey, SecondaryKey)
	if err == nil && which == "" {
		err = online.Errorf(online.Invalid, "keyType is missing, want %s or %s", PrimaryKey, SecondaryKey)
	}
	return which, r.KeyValue, err
}

// Token is a bearer token for one endpoint; times are Unix seconds.
type Token struct {
	AccessToken  string `json:"accessToken"`
	TokenType    string `json:"tokenType"`
	Expiry       int64  `json:"expiryTimeUtc"`
	RefreshAfter int64  `json:"refreshAfterTimeUtc"`
}

// Logs is the answer to getLogs.
type Logs struct {
	Content string `json:"content"`
}

// The containers that have a log.
const (
	InferenceServer    = "InferenceServer"
	StorageInitializer = "StorageInitializer"
)

// defaultTail is how many lines "az ml online-deployment get-logs" asks for unless told otherwise.
const defaultTail = 5000

// DecodeGetLogs reads which container's log is asked for, and how many of its last lines.
func DecodeGetLogs(body []byte) (container string, tail int, err error) {
	if strings.TrimSpace(string(body)) == "" {
		return InferenceServer, defaultTail, nil
	}
	r, err := decode[struct {
		ContainerType string `json:"containerType"`
		Tail          *int   `json:"tail"`
	}]("getLogs request", body)
	if err != nil {
		return "", 0, err
	}
	container, err = oneOf("containerType", r.ContainerType, InferenceServer, InferenceServer, StorageInitializer)
	tail = intOr(r.Tail, defaultTail)
	if err == nil && tail < 1 {
		err = online.Errorf(online.Invalid, "tail is %d, want at least 1", tail)
	}
	return container, tail, err
}

// Secrets is the answer to listSecrets: the account's key, or a signature that expires.
type Secrets struct {
	SecretsType string `json:"secretsType"`
	Key         string `json:"key,omitempty"`
	SASToken    string `json:"sasToken,omitempty"`
}

// DecodeListSecrets reads whether a secret that expires is asked for, and after how many hours.
// No body asks for the account's key.
func DecodeListSecrets(body []byte) (expirable bool, hours int, err error) {
	if strings.TrimSpace(string(body)) == "" {
		return false, 0, nil
	}
	const week = 7 * 24
	r, err := decode[struct {
		ExpirableSecret  bool `json:"expirableSecret"`
		ExpireAfterHours *int `json:"expireAfterHours"`
	}]("listSecrets request", body)
	if err != nil {
		return false, 0, err
	}
	hours = intOr(r.ExpireAfterHours, 1)
	if hours < 1 || hours > week {
		return false, 0, online.Errorf(online.Invalid, "expireAfterHours is %d, want 1 to %d", hours, week)
	}
	return r.ExpirableSecret, hours, nil
}

// PendingUpload is the answer to startPendingUpload: a fresh container and a signature for it.
type PendingUpload struct {
	ID            string        `json:"pendingUploadId"`
	Type          string        `json:"pendingUploadType"`
	BlobReference BlobReference `json:"blobReferenceForConsumption"`
}

// BlobReference says where to put the files, and with what right.
type BlobReference struct {
	BlobURI             string         `json:"blobUri"`
	StorageAccountARMID string         `json:"storageAccountArmId"`
	Credential          BlobCredential `json:"credential"`
}

// BlobCredential is a URL with a signature.
type BlobCredential struct {
	Type   string `json:"credentialType"`
	SASURI string `json:"sasUri"`
}

// NewPendingUpload is the answer that lets the client write into the container at blobURI.
func NewPendingUpload(s Scope, id, account, blobURI, sas string) PendingUpload {
	return PendingUpload{
		ID: id, Type: "TemporaryBlobReference",
		BlobReference: BlobReference{
			BlobURI: blobURI, StorageAccountARMID: s.StorageAccountID(account),
			Credential: BlobCredential{Type: "SAS", SASURI: blobURI + "?" + sas},
		},
	}
}

// SKUOption is a capacity that a deployment may be given.
type SKUOption struct {
	ResourceType string            `json:"resourceType"`
	SKU          map[string]string `json:"sku"`
	Capacity     SKUCapacity       `json:"capacity"`
}

// SKUCapacity bounds the number of instances.
type SKUCapacity struct {
	Minimum   int    `json:"minimum"`
	Maximum   int    `json:"maximum"`
	Default   int    `json:"default"`
	ScaleType string `json:"scaleType"`
}

// NewSKUOption is the one there is.
func NewSKUOption() SKUOption {
	return SKUOption{
		ResourceType: provider + "/workspaces/onlineEndpoints/deployments",
		SKU:          map[string]string{"name": "Default", "tier": "Standard"},
		Capacity:     SKUCapacity{Minimum: 1, Maximum: online.MaxInstances, Default: 1, ScaleType: "Manual"},
	}
}
