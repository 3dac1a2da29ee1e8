package blob

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"

	"hotswap/internal/online"
)

// azureError is a failure with the status and the code that Azure documents for it
// (learn.microsoft.com/rest/api/storageservices/blob-service-error-codes).
type azureError struct {
	status  int
	code    string
	message string
}

func (e *azureError) Error() string { return e.message }

var (
	errNoAuthentication  = &azureError{401, "NoAuthenticationInformation", "the request carries no signature and no token"}
	errBadToken          = &azureError{401, "InvalidAuthenticationInfo", "the token is not valid here; log in again"}
	errAuthentication    = &azureError{403, "AuthenticationFailed", "the signature of the request is not valid, or no longer"}
	errRole              = &azureError{403, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission: the role deployer is missing, or reader on the workspace for reading."}
	errPermission        = &azureError{403, "AuthorizationPermissionMismatch", "the signature does not permit this operation"}
	errResourceType      = &azureError{403, "AuthorizationResourceTypeMismatch", "the signature is for another type of resource"}
	errService           = &azureError{403, "AuthorizationServiceMismatch", "the signature is for another service"}
	errProtocol          = &azureError{403, "AuthorizationProtocolMismatch", "the signature is valid over another protocol only"}
	errSourceIP          = &azureError{403, "AuthorizationSourceIPMismatch", "the signature is valid from other addresses only"}
	errOverwrite         = &azureError{403, "UnauthorizedBlobOverwrite", "the signature permits new blobs only, and this one exists"}
	errBlobNotFound      = &azureError{404, "BlobNotFound", "there is no such blob"}
	errContainerNotFound = &azureError{404, "ContainerNotFound", "there is no such container"}
	errContainerExists   = &azureError{409, "ContainerAlreadyExists", "the container exists already"}
	errBlobExists        = &azureError{409, "BlobAlreadyExists", "the blob exists already"}
	errNotModified       = &azureError{304, "ConditionNotMet", "the blob is as the conditions say"}
	errCondition         = &azureError{412, "ConditionNotMet", "the conditions of the request are not met"}
	errLease             = &azureError{412, "LeaseNotPresentWithBlobOperation", "there is no lease on the blob"}
	errLength            = &azureError{411, "MissingContentLengthHeader", "the request has no Content-Length"}
	errInvalidMD5        = &azureError{400, "InvalidMd5", "the MD5 value is not 16 bytes in base64"}
	errMD5               = &azureError{400, "Md5Mismatch", "the content does not have the MD5 value that the request says"}
	errIncomplete        = &azureError{400, "IncompleteBody", "the body is shorter than Content-Length says"}
	errMetadata          = &azureError{400, "InvalidMetadata", "a metadata name is a letter or an underscore followed by letters, digits and underscores, and a value is ASCII text"}
	errMetadataSize      = &azureError{400, "MetadataTooLarge", "metadata is 8 KiB at most"}
	errBlockID           = &azureError{400, "InvalidQueryParameterValue", "blockid: want 1 to 64 bytes in base64"}
	errBlockIDLength     = &azureError{400, "InvalidBlobOrBlock", "the ids of a blob's blocks must have one length"}
	errBlockList         = &azureError{400, "InvalidBlockList", "the list names a block that is not there"}
	errBlockListTooLong  = &azureError{400, "BlockListTooLong", "a blob has 50,000 blocks at most"}
	errTooManyBlocks     = &azureError{409, "BlockCountExceedsLimit", "100,000 blocks at most can wait for their list"}
	errXML               = &azureError{400, "InvalidXmlDocument", "the body is not the XML document that it should be"}
	errVerb              = &azureError{405, "UnsupportedHttpVerb", "the resource does not support this method"}
	errDiskFull          = &azureError{507, "InsufficientStorage", "the disk of the store is full"}
)

func invalidQuery(name, want string) error {
	return &azureError{400, "InvalidQueryParameterValue", name + ": " + want}
}

func invalidHeader(name, want string) error {
	return &azureError{400, "InvalidHeaderValue", name + ": " + want}
}

func unsupportedHeader(name string) error {
	return &azureError{400, "UnsupportedHeader", name + ": this store does not support it"}
}

// asAzure is the answer to an error: its own, or that the disk is full, or that it is our fault.
func asAzure(err error) *azureError {
	if known, ok := errors.AsType[*azureError](err); ok {
		return known
	}
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return errDiskFull
		}
	}
	return &azureError{500, "InternalError", "the store failed; see the server's log"}
}

// goError says for callers in this process what failed, with a code of the domain.
func goError(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	code := online.Internal
	switch asAzure(err).status {
	case http.StatusNotFound:
		code = online.NotFound
	case http.StatusBadRequest:
		code = online.Invalid
	case http.StatusInsufficientStorage:
		code = online.Unavailable
	}
	return online.Errorf(code, "%s: %w", fmt.Sprintf(format, args...), err)
}
