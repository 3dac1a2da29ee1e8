package azure

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"hotswap/internal/online"
)

// deploymentHeader picks the deployment of a request, and names the one that answered
// (learn.microsoft.com, "Safe rollout for online endpoints").
const deploymentHeader = "azureml-model-deployment"

// scoringScope is the token's scope for an endpoint that goes by identity (azure-ai-ml 1.34.0).
const scoringScope = "https://ml.azure.com/.default"

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// Request is one request to score.
type Request struct {
	Endpoint   online.Endpoint // as read: its URI and how it authenticates are used
	Deployment string          // sent in the header that picks it; "" leaves it to the traffic
	Header     http.Header
	Body       []byte
	Key        string // what ScoringKey returned; "": it is asked for
}

// Answer is what came back, whatever its status.
type Answer struct {
	Status     int
	Deployment string // that answered, by the answer's header
	Header     http.Header
	Body       []byte
	Duration   time.Duration // from sending the request to the answer's end
}

// Score sends one scoring request, once: scoring may have effects, so it is never sent again. Any
// status is an answer; an error means that there was none.
func (c *Client) Score(ctx context.Context, r Request) (Answer, error) {
	key := r.Key
	if key == "" {
		var err error
		if key, err = c.ScoringKey(ctx, r.Endpoint); err != nil {
			return Answer{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, online.MaxTimeout+RequestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.Endpoint.ScoringURI, bytes.NewReader(r.Body))
	if err != nil {
		return Answer{}, online.Errorf(online.Internal, "score endpoint %q: its scoring URI %q: %w", r.Endpoint.Name, r.Endpoint.ScoringURI, err)
	}
	req.Header.Set("Content-Type", "application/json")
	maps.Copy(req.Header, r.Header)
	req.Header.Set("Authorization", "Bearer "+key)
	if r.Deployment != "" {
		req.Header.Set(deploymentHeader, r.Deployment)
	}
	return c.send(req, r.Endpoint.Name)
}

func (c *Client) send(req *http.Request, endpoint string) (Answer, error) {
	start := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, online.Errorf(online.Unavailable, "score endpoint %q: %w", endpoint, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return Answer{}, online.Errorf(online.Unavailable, "score endpoint %q: read the answer: %w", endpoint, err)
	}
	if len(body) > maxAnswer {
		return Answer{}, online.Errorf(online.TooLarge, "score endpoint %q: the answer has more than %d bytes", endpoint, maxAnswer)
	}
	return Answer{resp.StatusCode, resp.Header.Get(deploymentHeader), resp.Header, body, time.Since(start)}, nil
}

// ScoringKey returns what a request to e must carry.
func (c *Client) ScoringKey(ctx context.Context, e online.Endpoint) (string, error) {
	client := c.factory.NewOnlineEndpointsClient()
	switch e.AuthMode {
	case online.AADTokenAuth:
		token, err := c.cred.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scoringScope}})
		if err != nil {
			return "", failed(err, "get a token to score endpoint %q", e.Name)
		}
		return token.Token, nil
	case online.AMLTokenAuth:
		resp, err := client.GetToken(ctx, c.workspace.ResourceGroup, c.workspace.Name, e.Name, nil)
		if err != nil {
			return "", failed(err, "get the token of endpoint %q", e.Name)
		}
		return value(resp.AccessToken), nil
	}
	resp, err := client.ListKeys(ctx, c.workspace.ResourceGroup, c.workspace.Name, e.Name, nil)
	if err != nil {
		return "", failed(err, "get the keys of endpoint %q", e.Name)
	}
	return value(resp.PrimaryKey), nil
}
