package sidecar

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// roleEnv is the environment variable that makes the test binary play another program.
const roleEnv = "SIDECAR_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "unresponsive sidecar":
		runUnresponsiveSidecar()
	case "asking sidecar":
		runAskingSidecar()
	case "parent":
		runParent()
	case "reporter":
		command, err := Options{}.command()
		if err != nil {
			panic(err)
		}
		fmt.Print(command)
	default:
		goleak.VerifyTestMain(m)
	}
}

const initializeResult = `{"serverInfo":{"name":"flyte-sidecar","version":"9.9"},"protocolVersion":"` + ProtocolVersion + `"}`

// runUnresponsiveSidecar reports on stderr when it receives the first bytes after the handshake, and
// reads nothing more.
func runUnresponsiveSidecar() {
	stdin := bufio.NewReader(os.Stdin)
	if _, err := stdin.ReadString('\n'); err == nil {
		fmt.Printf(`{"jsonrpc":"2.0","id":1,"result":%s}`+"\n", initializeResult)
	}
	if _, err := stdin.ReadString('\n'); err == nil { // initialized
		_, _ = stdin.Peek(1)
		fmt.Fprintln(os.Stderr, "received")
	}
	time.Sleep(time.Hour)
}

// runAskingSidecar requires a login, and exits at the end of its input.
func runAskingSidecar() {
	stdin := bufio.NewReader(os.Stdin)
	if _, err := stdin.ReadString('\n'); err == nil {
		fmt.Printf(`{"jsonrpc":"2.0","id":1,"result":%s}`+"\n", initializeResult)
	}
	fmt.Println(authRequired)
	_, _ = io.Copy(io.Discard, stdin)
}

func runParent() {
	client, err := Start(context.Background(), Options{})
	if err != nil {
		panic(err)
	}
	fmt.Println(client.Command())
	time.Sleep(time.Hour)
}

// start runs a sidecar with its own store.
func start(t *testing.T) *Client {
	t.Helper()
	return startOn(t, filepath.Join(t.TempDir(), "events.db"))
}

func startOn(t *testing.T, store string) *Client {
	t.Helper()
	if _, err := exec.LookPath("flyte-sidecar"); err != nil {
		t.Fatal("these tests need flyte-sidecar on the PATH: make run installs it in .venv/bin")
	}
	client, err := Start(testContext(t), Options{Args: []string{"--store", store}, Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// testContext returns a context that is done before the timeout of go test.
func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// must returns the value of a call, and fails the test if the call failed.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func create(t *testing.T, client *Client, name string, expected ExpectedType) *Event {
	t.Helper()
	params := CreateParams{RunName: "r1", Name: name, ExpectedType: expected}
	return must(client.Events.Create(testContext(t), params))(t)
}
