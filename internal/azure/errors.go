package azure

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"hotswap/internal/online"
)

// Role is one of Azure's built-in roles.
type Role string

// The roles that a principal needs (learn.microsoft.com, "Manage access to Azure Machine Learning
// workspaces", "Azure built-in roles for Storage" and "Roles, permissions, and security in Azure
// Monitor").
const (
	WorkspaceRole Role = "AzureML Data Scientist"
	StorageRole   Role = "Storage Blob Data Contributor"
	MetricsRole   Role = "Monitoring Reader"
)

// failed gives an error of the management plane its code, and one clear line.
func failed(err error, format string, args ...any) error {
	return classify(err, WorkspaceRole, fmt.Sprintf(format, args...))
}

// failedBlob is failed for the blob store.
func failedBlob(err error, format string, args ...any) error {
	return classify(err, StorageRole, fmt.Sprintf(format, args...))
}

func classify(err error, role Role, doing string) error {
	if e, ours := errors.AsType[*online.Error](err); ours {
		return e
	}
	if e, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok {
		return loginFailed(e, doing)
	}
	if e, ok := errors.AsType[*azcore.ResponseError](err); ok {
		return answered(e, role, doing)
	}
	if e, ok := errors.AsType[*unreachableError](err); ok {
		return online.Errorf(online.Unavailable, "%s: %w", doing, e)
	}
	if e, ok := errors.AsType[*untrustedError](err); ok {
		return online.Errorf(online.Unavailable, "%s: %w", doing, e)
	}
	var final interface{ NonRetriable() } // what azidentity calls a credential that is not there
	switch {
	case errors.As(err, &final):
		return online.Errorf(online.Unauthenticated, "%s: no usable credential: %s; give --credentials FILE or set AZURE_CREDENTIALS", doing, line(err.Error()))
	case errors.Is(err, context.DeadlineExceeded):
		return online.Errorf(online.Unavailable, "%s: no answer in time: %w", doing, err)
	}
	return online.Errorf(online.Unavailable, "%s: %w", doing, err)
}

// answered explains an answer that says no.
func answered(e *azcore.ResponseError, role Role, doing string) error {
	_, text := explain(payload(e.RawResponse))
	if text == "" {
		text = strings.TrimSpace(fmt.Sprintf("status %d %s", e.StatusCode, e.ErrorCode))
	}
	text = line(text)
	switch e.StatusCode {
	case http.StatusUnauthorized:
		return online.Errorf(online.Unauthenticated, "%s: the login is not accepted: %s", doing, text)
	case http.StatusForbidden:
		if e.RawResponse != nil && e.RawResponse.Header.Get("x-hotswap-role") != "" { // the text names the role of hotswap serve
			return online.Errorf(online.Forbidden, "%s: %s", doing, text)
		}
		return online.Errorf(online.Forbidden, "%s: %s; ask for the role %q", doing, text, role)
	}
	return online.Errorf(codeOf(e.StatusCode), "%s: %s", doing, text)
}

func codeOf(status int) online.Code {
	switch status {
	case http.StatusNotFound:
		return online.NotFound
	case http.StatusConflict:
		return online.Conflict
	case http.StatusPreconditionFailed:
		return online.Stale
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusMethodNotAllowed:
		return online.Invalid
	case http.StatusRequestEntityTooLarge:
		return online.TooLarge
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return online.Unavailable
	}
	if status >= http.StatusInternalServerError {
		return online.Unavailable
	}
	return online.Internal
}

// loginFailed tells that no token was given, without a hint at which part of the login is wrong.
func loginFailed(e *azidentity.AuthenticationFailedError, doing string) error {
	if e.RawResponse == nil {
		return online.Errorf(online.Unavailable, "%s: the login service can't be reached: %s", doing, line(e.Error()))
	}
	if e.RawResponse.StatusCode >= http.StatusInternalServerError {
		return online.Errorf(online.Unavailable, "%s: the login service answered %d; try again", doing, e.RawResponse.StatusCode)
	}
	return online.Errorf(online.Unauthenticated, "%s: the login service refused the credential (status %d); check that it is of this server and has not expired", doing, e.RawResponse.StatusCode)
}

// operationFailed tells how a long-running operation ended. Its text may hold the last lines of a
// log, which stay lines.
func operationFailed(e *azcore.ResponseError, code online.Code, doing string) error {
	azureCode, text := explain(payload(e.RawResponse))
	if text == "" {
		text = "the operation failed and gives no reason"
	}
	switch azureCode {
	case "InternalServerError":
		code = online.Unavailable
	case "OperationCanceled":
		code = online.Conflict
	case "":
		return online.Errorf(code, "%s: %s", doing, text)
	}
	return online.Errorf(code, "%s: %s (%s)", doing, text, azureCode)
}

func payload(resp *http.Response) []byte {
	if resp == nil {
		return nil
	}
	body, err := runtime.Payload(resp)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil
	}
	return body
}

// armError is the error of Azure's management plane. What it is really about is often in the
// details, and in there in a message that is JSON itself.
type armError struct {
	Code    string     `json:"code"`
	Message string     `json:"message"`
	Details []armError `json:"details"`
}

// explain digs the code and the text out of an error's body.
func explain(body []byte) (code, text string) {
	var envelope struct {
		Error    armError `json:"error"`
		armError          // Azure Monitor's errors have no envelope
	}
	if json.Unmarshal(body, &envelope) != nil {
		return explainBlob(body)
	}
	if envelope.Error.Code == "" && envelope.Error.Message == "" {
		return envelope.Code, envelope.text()
	}
	return envelope.Error.Code, envelope.Error.text()
}

// explainBlob does it for an error of the blob store, which is XML (learn.microsoft.com, "Status
// and error codes" of Azure Storage). Lines after the message's first hold the request's id and time.
func explainBlob(body []byte) (code, text string) {
	var e struct {
		XMLName xml.Name `xml:"Error"`
		Code    string   `xml:"Code"`
		Message string   `xml:"Message"`
	}
	if xml.Unmarshal(body, &e) != nil {
		return "", ""
	}
	text, _, _ = strings.Cut(e.Message, "\n")
	return e.Code, text
}

func (e armError) text() string {
	var texts []string
	for _, d := range e.Details {
		if text := d.text(); text != "" && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if len(texts) > 0 {
		return strings.Join(texts, "; ")
	}
	return validation(e.Message)
}

// validation returns the texts of a message that is, or ends in, {"errors":{"…":["text"]}}; any
// other message as it is.
func validation(message string) string {
	_, tail, found := strings.Cut(message, "{")
	if !found {
		return strings.TrimSpace(message)
	}
	var problem struct {
		Errors map[string][]string `json:"errors"`
	}
	if json.NewDecoder(strings.NewReader("{"+tail)).Decode(&problem) != nil || len(problem.Errors) == 0 {
		return strings.TrimSpace(message)
	}
	var texts []string
	for _, key := range sortedKeys(problem.Errors) {
		texts = append(texts, problem.Errors[key]...)
	}
	return strings.Join(texts, "; ")
}

// line makes one line of a text.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }
