package sidecar

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// playing says what the test program is to be when it is run as a child of itself.
const playing = "SIDECAR_TEST_PLAYS"

func TestMain(m *testing.M) {
	switch os.Getenv(playing) {
	case "a sidecar that stops reading":
		playDeaf()
	case "a program with a sidecar":
		playParent()
	default:
		goleak.VerifyTestMain(m)
	}
}

const hello = `{"serverInfo":{"name":"flyte-sidecar","version":"9.9"},"protocolVersion":"` + ProtocolVersion + `"}`

func playDeaf() {
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err == nil {
		fmt.Printf(`{"jsonrpc":"2.0","id":1,"result":%s}`+"\n", hello)
	}
	time.Sleep(time.Hour)
}

func playParent() {
	options := Options{Command: "sh", Args: []string{"-c", `exec flyte-sidecar 3>"$FIFO"`}}
	if _, err := Start(context.Background(), options); err != nil {
		panic(err)
	}
	fmt.Println("started")
	time.Sleep(time.Hour)
}

// start runs a sidecar on a store of its own.
func start(t *testing.T) *Client {
	t.Helper()
	return startOn(t, filepath.Join(t.TempDir(), "events.db"))
}

func startOn(t *testing.T, store string) *Client {
	t.Helper()
	if _, err := exec.LookPath("flyte-sidecar"); err != nil {
		t.Fatal("these tests need flyte-sidecar on the PATH: make test puts it into .venv/bin")
	}
	client, err := Start(limited(t), Options{Args: []string{"--store", store}, Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// limited gives a context that ends before the test program is given up.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// must gives the value of a call that has to succeed.
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
	return must(client.Events.Create(limited(t), params))(t)
}
