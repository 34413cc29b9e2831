//go:build unix

package sidecar

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// initializeScript is the start of a script that simulates a sidecar.
const initializeScript = `read line; echo '{"jsonrpc":"2.0","id":1,"result":` + initializeResult + `}'`

func (c *Client) process() *process { return c.connection.peer.(*process) }

func TestAMissingFolderIsNamedInTheError(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "none")
	_, err := Start(testContext(t), Options{Dir: folder})
	if !errors.Is(err, KindSpawnFailed) || !strings.Contains(err.Error(), "Options.Dir: stat "+folder) {
		t.Error(err)
	}
}

func TestACommandThatExitsImmediatelyIsAnErrorWithItsStatusAndStderr(t *testing.T) {
	_, err := Start(testContext(t), Options{Command: "sh", Args: []string{"-c", "echo no store >&2; exit 3"}})
	var target *DisconnectedError
	if !errors.Is(err, KindSpawnFailed) || !errors.As(err, &target) || target.State.ExitCode() != 3 || target.Stderr != "no store\n" {
		t.Fatal(err)
	}
	if text := err.Error(); !strings.Contains(text, "exit status 3") || !strings.Contains(text, "no store") {
		t.Error(text)
	}
}

func TestOutputThatIsNotJSONRPCIsQuotedInTheError(t *testing.T) {
	for script, message := range map[string]string{
		`echo flyte-sidecar 0.1.0`: `the sidecar's output is not JSON-RPC: "flyte-sidecar 0.1.0"`,
		`echo '[]'`:                `the sidecar's output is not JSON-RPC: "[]"`,
		`printf '{"id":1,"resu'`:   `the sidecar's output ends within a message: "{\"id\":1,\"resu"`,
	} {
		_, err := Start(testContext(t), Options{Command: "sh", Args: []string{"-c", script}})
		if !errors.Is(err, KindSpawnFailed) || !errors.Is(err, KindDisconnected) || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: %v", script, err)
		}
	}
}

func TestStartFailsWhenItsContextIsDoneBeforeTheSidecarResponds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	script := `read line; echo received >&2; exec sleep 1000`
	options := Options{Command: "sh", Args: []string{"-c", script}, Stderr: onWrite(cancel)}
	for range 2 { // the second time, the context is done before the start
		_, err := Start(ctx, options)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, KindSpawnFailed) {
			t.Error(err)
		}
	}
}

// onWrite is a writer that calls a function at every write.
type onWrite func()

func (f onWrite) Write(data []byte) (int, error) {
	f()
	return len(data), nil
}

func TestTheExitOfAProcessThatOtherCodeWaitedForIsUnknown(t *testing.T) {
	process := &process{cmd: exec.Command("flyte-sidecar"), stderr: new(tail)} // without a state
	if err := process.exitError(); err != nil {
		t.Error(err)
	}
	if err := process.disconnected(io.EOF); err.Error() != "the connection to the sidecar ended" {
		t.Error(err)
	}
}

func TestOutputIsReadLongAfterTheExitOfTheSidecar(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close() // a child of the sidecar may keep it open
	if _, err := w.WriteString("{}\n"); err != nil {
		t.Fatal(err)
	}
	if err := r.SetReadDeadline(time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(output{r})
	if string(text) != "{}\n" || err == nil || !strings.Contains(err.Error(), "keeps its stdout open") {
		t.Errorf("%q (%v)", text, err)
	}
}

func TestCallsFailWhenTheSidecarIsKilled(t *testing.T) {
	client := start(t)
	create(t, client, "deploy", ExpectedTypeBool)
	wait := background(func() (*Event, error) {
		return client.Events.Wait(testContext(t), WaitParams{RunName: "r1", Name: "deploy"})
	})
	watch := background(func() (any, error) {
		for _, err := range client.Events.Watch(testContext(t), WatchParams{}) {
			if err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	awaitOpenWait(t, client)
	if err := client.process().cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-client.Done()
	_, after := client.Events.Get(testContext(t), GetParams{RunName: "r1", Name: "deploy"})
	for _, err := range []error{(<-wait).err, (<-watch).err, after, client.Err(), client.Close()} {
		var target *DisconnectedError
		if !errors.Is(err, KindDisconnected) || !errors.As(err, &target) || !strings.Contains(err.Error(), "signal: killed") {
			t.Error(err)
		}
	}
}

func TestASidecarThatStopsReadingBlocksNeitherCallsNorClose(t *testing.T) {
	received := make(chan struct{}, 1)
	options := Options{
		Command: os.Args[0],
		Env:     append(os.Environ(), roleEnv+"=unresponsive sidecar"),
		Stderr:  onWrite(func() { received <- struct{}{} }),
	}
	client := must(Start(testContext(t), options))(t)
	blocked := background(func() (any, error) {
		return nil, client.Call(context.Background(), "a.b", strings.Repeat("x", 1<<20), nil)
	})
	<-received // the writer is blocked: the call is larger than the pipe
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	err := client.connection.send(ctx, request{Version: "2.0", Method: "a.b"})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "not sent") {
		t.Error(err)
	}
	if err := client.connection.close(10 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Error(err)
	}
	if got := <-blocked; !errors.Is(got.err, ErrClosed) {
		t.Error(got.err)
	}
}

func TestAChildOfTheSidecarThatKeepsItsPipesBlocksNothing(t *testing.T) {
	t.Parallel()
	pid := filepath.Join(t.TempDir(), "pid")
	script := `sleep 1000 & echo $! >"$0"; ` + initializeScript + `; read line; exit 7`
	client := must(Start(testContext(t), Options{Command: "sh", Args: []string{"-c", script, pid}}))(t)
	<-client.Done()
	var target *DisconnectedError
	if !errors.As(client.Err(), &target) || target.State.ExitCode() != 7 {
		t.Error(client.Err())
	}
	client.Close()
	killOrphan(t, pid)
}

func TestASidecarThatClosesItsInputIsKilled(t *testing.T) {
	t.Parallel()
	script := initializeScript + `; exec sleep 1000 <&-`
	client := must(Start(testContext(t), Options{Command: "sh", Args: []string{"-c", script}}))(t)
	var err error
	for err == nil {
		err = client.connection.send(testContext(t), request{Version: "2.0", Method: "a.b"})
	}
	if !errors.Is(err, KindDisconnected) {
		t.Error(err)
	}
	if !strings.Contains(client.Err().Error(), "signal: killed") {
		t.Error(client.Err())
	}
}

func killOrphan(t *testing.T, file string) {
	t.Helper()
	text := must(os.ReadFile(file))(t)
	pid := must(strconv.Atoi(strings.TrimSpace(string(text))))(t)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

type failingCopy struct{ written strings.Builder }

func (f *failingCopy) Write(data []byte) (int, error) {
	f.written.Write(data)
	return 0, errors.New("full")
}

func TestStderrIsReadAndItsEndKeptEvenIfCopyingItFails(t *testing.T) {
	script := `i=0; while [ $i -lt 20000 ]; do echo "line $i" >&2; i=$((i+1)); done; exit 1`
	var copied failingCopy
	_, err := Start(testContext(t), Options{Command: "sh", Args: []string{"-c", script}, Stderr: &copied})
	var target *DisconnectedError
	if !errors.As(err, &target) || len(target.Stderr) != tailSize || !strings.HasSuffix(target.Stderr, "line 19999\n") {
		t.Fatal(err)
	}
	if !strings.HasPrefix(copied.written.String(), "line 0\n") {
		t.Errorf("%.20q is copied", copied.written.String())
	}
	if text := err.Error(); strings.Contains(text, "line 19994") || !strings.Contains(text, "line 19995") {
		t.Error(text)
	}
}
