package app_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azarm "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/google/uuid"

	"hotswap/internal/app"
)

// running is a server that runs, and what its clients know of it.
type running struct {
	*app.App
	dir  string
	http *http.Client
	made secrets
}

// secrets is what is read of the file of credentials.
type secrets struct {
	ClientID, ClientSecret, TenantID, SubscriptionID, ResourceGroup, WorkspaceName string
	ActiveDirectoryEndpointURL, ResourceManagerEndpointURL                         string
}

func options(dir string) app.Options {
	return app.Options{StateDir: dir, Addr: "127.0.0.1:0", Guard: []string{"/proc/self/exe", "guard"}}
}

// stateDir is short, because the paths of sockets are.
func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "app") //nolint:usetesting // because t.TempDir's path is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start runs a server until stop is called, or the test ends.
func start(t *testing.T, o app.Options) (r *running, stop func()) {
	t.Helper()
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
	}
	t.Cleanup(stop)
	return &running{App: a, dir: o.StateDir, http: trusting(t, a.CAFile()), made: readSecrets(t, a.CredentialsFile())}, stop
}

// trusting is a client that trusts a CA only and finds every host here, as a resolver that
// knows *.localhost does.
func trusting(t *testing.T, caFile string) *http.Client {
	t.Helper()
	ca, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(addr)
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func readSecrets(t *testing.T, file string) (s secrets) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// client is Microsoft's SDK, set up as for any private cloud.
type client struct {
	*running
	*ml.ClientFactory
	group, workspace string
}

func (r *running) client(t *testing.T, secret string) client {
	t.Helper()
	base := r.made.ResourceManagerEndpointURL
	common := policy.ClientOptions{
		Cloud: cloud.Configuration{
			ActiveDirectoryAuthorityHost: r.made.ActiveDirectoryEndpointURL,
			Services:                     map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: base, Audience: base}},
		},
		Transport: r.http, Retry: policy.RetryOptions{MaxRetries: -1},
	}
	credential, err := azidentity.NewClientSecretCredential(r.made.TenantID, r.made.ClientID, secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: common, DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	factory, err := ml.NewClientFactory(r.made.SubscriptionID, credential, &azarm.ClientOptions{ClientOptions: common})
	if err != nil {
		t.Fatal(err)
	}
	return client{r, factory, r.made.ResourceGroup, r.made.WorkspaceName}
}

// wait polls an operation to its end.
func wait[T any](t *testing.T, poller *runtime.Poller[T], err error) (T, error) {
	t.Helper()
	if err != nil {
		var none T
		return none, err
	}
	return poller.PollUntilDone(t.Context(), &runtime.PollUntilDoneOptions{Frequency: time.Second})
}

func must[T any](t *testing.T, got T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (c client) putEndpoint(t *testing.T, name string, traffic map[string]*int32) ml.OnlineEndpoint {
	t.Helper()
	return c.putProperties(t, name, ml.OnlineEndpointProperties{AuthMode: new(ml.EndpointAuthModeKey), Traffic: traffic})
}

func (c client) putProperties(t *testing.T, name string, properties ml.OnlineEndpointProperties) ml.OnlineEndpoint {
	t.Helper()
	poller, err := c.NewOnlineEndpointsClient().BeginCreateOrUpdate(t.Context(), c.group, c.workspace, name, ml.OnlineEndpoint{
		Location: new("local"), Identity: &ml.ManagedServiceIdentity{Type: new(ml.ManagedServiceIdentityTypeSystemAssigned)},
		Properties: &properties,
	}, nil)
	made, err := wait(t, poller, err)
	return must(t, made.OnlineEndpoint, err)
}

// uploadCode registers a folder with one script, as azure-ai-ml does, and returns its id.
func (c client) uploadCode(t *testing.T, script string) string {
	t.Helper()
	name := uuid.NewString()
	codes := c.NewCodeVersionsClient()
	upload, err := codes.CreateOrGetStartPendingUpload(t.Context(), c.group, c.workspace, name, "1",
		ml.PendingUploadRequestDto{PendingUploadType: new(ml.PendingUploadTypeTemporaryBlobReference)}, nil)
	reference := must(t, upload, err).BlobReferenceForConsumption
	sas := reference.Credential.(*ml.SASCredentialDto)
	blobs, err := container.NewClientWithNoCredential(*sas.SasURI, &container.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: c.http}})
	put(t, must(t, blobs, err), "src/score.py", script)
	code, err := codes.CreateOrUpdate(t.Context(), c.group, c.workspace, name, "1", ml.CodeVersion{
		Properties: &ml.CodeVersionProperties{CodeURI: new(*reference.BlobURI + "/src"), IsAnonymous: new(true)},
	}, nil)
	return *must(t, code, err).ID
}

func put(t *testing.T, blobs *container.Client, name, text string) {
	t.Helper()
	if _, err := blobs.NewBlockBlobClient(name).UploadBuffer(t.Context(), []byte(text), nil); err != nil {
		t.Fatal(err)
	}
}

// registerModel puts a folder model into the default datastore and returns its id.
func (c client) registerModel(t *testing.T, name, version, text string) string {
	t.Helper()
	stores := c.NewDatastoresClient()
	store, err := stores.Get(t.Context(), c.group, c.workspace, "workspaceblobstore", nil)
	blob := must(t, store, err).Properties.(*ml.AzureBlobDatastore)
	secret, err := stores.ListSecrets(t.Context(), c.group, c.workspace, "workspaceblobstore", nil)
	key, err := container.NewSharedKeyCredential(*blob.AccountName, *must(t, secret, err).DatastoreSecretsClassification.(*ml.AccountKeyDatastoreSecrets).Key)
	if err != nil {
		t.Fatal(err)
	}
	url := *blob.Protocol + "://" + *blob.AccountName + ".blob." + *blob.Endpoint + "/" + *blob.ContainerName
	blobs, err := container.NewClientWithSharedKeyCredential(url, key, &container.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: c.http}})
	put(t, must(t, blobs, err), "LocalUpload/"+name+version+"/model/model.txt", text)
	model, err := c.NewModelVersionsClient().CreateOrUpdate(t.Context(), c.group, c.workspace, name, version, ml.ModelVersion{
		Properties: &ml.ModelVersionProperties{
			ModelType: new("custom_model"),
			ModelURI:  new("azureml://subscriptions/" + c.made.SubscriptionID + "/resourcegroups/" + c.group + "/workspaces/" + c.workspace + "/datastores/workspaceblobstore/paths/LocalUpload/" + name + version + "/model"),
		},
	}, nil)
	return *must(t, model, err).ID
}

func (c client) putDeployment(t *testing.T, endpoint, name, model, code string) error {
	t.Helper()
	quick := &ml.ProbeSettings{InitialDelay: new("PT0S"), Period: new("PT1S"), FailureThreshold: new(int32(20))}
	properties := &ml.ManagedOnlineDeployment{
		EndpointComputeType: new(ml.EndpointComputeTypeManaged), InstanceType: new("Standard_DS3_v2"),
		CodeConfiguration: &ml.CodeConfiguration{CodeID: &code, ScoringScript: new("score.py")},
		ScaleSettings:     &ml.DefaultScaleSettings{ScaleType: new(ml.ScaleTypeDefault)},
		LivenessProbe:     quick, ReadinessProbe: quick,
	}
	if model != "" {
		properties.Model = &model
	}
	poller, err := c.NewOnlineDeploymentsClient().BeginCreateOrUpdate(t.Context(), c.group, c.workspace, endpoint, name, ml.OnlineDeployment{
		Location: new("local"), SKU: &ml.SKU{Name: new("Default"), Capacity: new(int32(1))}, Properties: properties,
	}, nil)
	_, err = wait(t, poller, err)
	return err
}

// score sends one request to an endpoint and returns the status, the answer and who answered.
func (r *running) score(t *testing.T, url, key, body string, header ...string) (status int, answer, deployment string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	for n := 0; n < len(header); n += 2 {
		request.Header.Set(header[n], header[n+1])
	}
	response, err := r.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(text)), response.Header.Get("azureml-model-deployment")
}

// eventually waits until what is said about the server is "".
func eventually(t *testing.T, wrong func() string) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		said := wrong()
		if said == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(said)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
