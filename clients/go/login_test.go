package sidecar

import (
	"context"
	"io"
	"log"
	"os"
	"strings"
	"testing"
)

const authRequired = `{"jsonrpc":"2.0","method":"sidecar.authRequired","params":{"url":"https://login.example/device",` +
	`"userCode":"ABCD","message":"open https://login.example/device and enter ABCD","expiresAt":"2026-01-02T03:04:05Z"}}`

func TestALoginThatAPersonMustFinishIsPassedToTheHandler(t *testing.T) {
	received := make(chan *AuthRequired, 1)
	client, err := Start(testContext(t), Options{
		Command:        os.Args[0],
		Env:            append(os.Environ(), roleEnv+"=asking sidecar"),
		OnAuthRequired: func(login *AuthRequired) { received <- login },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	want := AuthRequired{
		URL:       "https://login.example/device",
		UserCode:  "ABCD",
		Message:   "open https://login.example/device and enter ABCD",
		ExpiresAt: "2026-01-02T03:04:05Z",
	}
	if got := <-received; *got != want {
		t.Errorf("%+v", *got)
	}
}

func TestWithoutAHandlerItsMessageIsLogged(t *testing.T) {
	logged, writer := io.Pipe()
	log.SetOutput(writer)
	defer log.SetOutput(os.Stderr)
	client, fake := attachFake(t, initializeResult)
	fake.send(authRequired)
	line := make([]byte, 200)
	n, err := logged.Read(line)
	if err != nil || !strings.Contains(string(line[:n]), "enter ABCD") {
		t.Errorf("%q, %v", line[:n], err)
	}
	call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	fake.respond(fake.expect("sidecar.status"), `{}`)
	if got := <-call; got.err != nil {
		t.Error(got.err)
	}
}
