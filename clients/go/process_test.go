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

// greets is the beginning of a script that plays a sidecar.
const greets = `read line; echo '{"jsonrpc":"2.0","id":1,"result":` + hello + `}'`

func (c *Client) process() *process { return c.connection.peer.(*process) }

func TestACommandThatIsNotThereIsAnErrorThatSaysWhatToDo(t *testing.T) {
	for _, command := range []string{"no-such-sidecar", filepath.Join(t.TempDir(), "no-such-sidecar")} {
		_, err := Start(limited(t), Options{Command: command})
		var told *StartError
		if !errors.Is(err, KindSpawnFailed) || !errors.As(err, &told) || told.Command != command {
			t.Error(err)
		}
		if text := err.Error(); !strings.Contains(text, "pip") || !strings.Contains(text, "Options.Command") {
			t.Error(text)
		}
	}
}

func TestAFolderThatIsNotThereIsNamed(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "none")
	_, err := Start(limited(t), Options{Dir: folder})
	if !errors.Is(err, KindSpawnFailed) || !strings.Contains(err.Error(), "Options.Dir: stat "+folder) {
		t.Error(err)
	}
}

func TestACommandThatExitsAtOnceIsAnErrorWithItsStatusAndItsLastWords(t *testing.T) {
	_, err := Start(limited(t), Options{Command: "sh", Args: []string{"-c", "echo no store >&2; exit 3"}})
	var told *DisconnectedError
	if !errors.Is(err, KindSpawnFailed) || !errors.As(err, &told) || told.State.ExitCode() != 3 || told.Stderr != "no store\n" {
		t.Fatal(err)
	}
	if text := err.Error(); !strings.Contains(text, "exit status 3") || !strings.Contains(text, "no store") {
		t.Error(text)
	}
}

func TestACommandThatSpeaksSomethingElseIsAnErrorThatQuotesIt(t *testing.T) {
	for said, told := range map[string]string{
		`echo flyte-sidecar 0.1.0`: `its output is not JSON-RPC: "flyte-sidecar 0.1.0"`,
		`echo '[]'`:                `its output is not JSON-RPC: "[]"`,
		`printf '{"id":1,"resu'`:   `its output ends within a message: "{\"id\":1,\"resu"`,
	} {
		_, err := Start(limited(t), Options{Command: "sh", Args: []string{"-c", said}})
		if !errors.Is(err, KindSpawnFailed) || !errors.Is(err, KindDisconnected) || !strings.Contains(err.Error(), told) {
			t.Errorf("%s: %v", said, err)
		}
	}
}

func TestASidecarThatDoesNotGreetIsGivenUpWithTheContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	for range 2 { // the second time there is no time left at all
		_, err := Start(ctx, Options{Command: "sleep", Args: []string{"1000"}})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, KindSpawnFailed) {
			t.Error(err)
		}
	}
}

func TestOfASidecarThatSomebodyElseHasWaitedForTheEndIsNotKnown(t *testing.T) {
	process := &process{cmd: exec.Command("flyte-sidecar"), stderr: new(tail)} // without a state
	if err := process.failed(); err != nil {
		t.Error(err)
	}
	if err := process.lost(io.EOF); err.Error() != "the connection to the sidecar ended" {
		t.Error(err)
	}
}

func TestWhatASidecarWroteIsReadHoweverLongAfterItsEnd(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close() // by a child of its own, say
	if _, err := w.WriteString("{}\n"); err != nil {
		t.Fatal(err)
	}
	if err := r.SetReadDeadline(time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(output{r})
	if string(text) != "{}\n" || err == nil || !strings.Contains(err.Error(), "keeps its output open") {
		t.Errorf("%q (%v)", text, err)
	}
}

func TestASidecarThatIsKilledEndsWhatIsUnderWay(t *testing.T) {
	client := start(t)
	create(t, client, "deploy", ExpectedTypeBool)
	wait := background(func() (*Event, error) {
		return client.Events.Wait(limited(t), WaitParams{RunName: "r1", Name: "deploy"})
	})
	watch := background(func() (any, error) {
		for _, err := range client.Events.Watch(limited(t), WatchParams{}) {
			if err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	waiting(t, client)
	if err := client.process().cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-client.Done()
	_, after := client.Events.Get(limited(t), GetParams{RunName: "r1", Name: "deploy"})
	for _, err := range []error{(<-wait).err, (<-watch).err, after, client.Err(), client.Close()} {
		var told *DisconnectedError
		if !errors.Is(err, KindDisconnected) || !errors.As(err, &told) || !strings.Contains(err.Error(), "signal: killed") {
			t.Error(err)
		}
	}
}

func deaf(t *testing.T) *Client {
	t.Helper()
	options := Options{Command: os.Args[0], Env: append(os.Environ(), playing+"=a sidecar that stops reading")}
	return must(Start(limited(t), options))(t)
}

func TestASidecarThatStopsReadingHoldsUpNeitherACallNorTheEnd(t *testing.T) {
	client := deaf(t)
	stuck := background(func() (any, error) {
		return nil, client.Call(context.Background(), "a.b", strings.Repeat("x", 1<<20), nil)
	})
	// Once the pipe is full the writer takes nothing more.
	var err error
	for err == nil || !strings.Contains(err.Error(), "not sent") {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		err = client.connection.send(ctx, request{Version: "2.0", Method: "a.b"})
		cancel()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := client.connection.close(10 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Error(err)
	}
	if got := <-stuck; !errors.Is(got.err, ErrClosed) {
		t.Error(got.err)
	}
}

func TestAChildOfTheSidecarsThatKeepsItsPipesHoldsUpNothing(t *testing.T) {
	t.Parallel()
	pid := filepath.Join(t.TempDir(), "pid")
	script := `sleep 1000 & echo $! >"$0"; ` + greets + `; read line; exit 7`
	client := must(Start(limited(t), Options{Command: "sh", Args: []string{"-c", script, pid}}))(t)
	<-client.Done()
	var told *DisconnectedError
	if !errors.As(client.Err(), &told) || told.State.ExitCode() != 7 {
		t.Error(client.Err())
	}
	client.Close()
	endOrphan(t, pid)
}

func TestASidecarThatReadsNoMoreIsEnded(t *testing.T) {
	t.Parallel()
	script := greets + `; exec sleep 1000 <&-`
	client := must(Start(limited(t), Options{Command: "sh", Args: []string{"-c", script}}))(t)
	var err error
	for err == nil || !errors.Is(err, KindDisconnected) {
		ctx, cancel := context.WithTimeout(limited(t), time.Second)
		err = client.connection.send(ctx, request{Version: "2.0", Method: "a.b"})
		cancel()
	}
	if !strings.Contains(client.Err().Error(), "signal: killed") {
		t.Error(client.Err())
	}
}

func endOrphan(t *testing.T, file string) {
	t.Helper()
	text := must(os.ReadFile(file))(t)
	pid := must(strconv.Atoi(strings.TrimSpace(string(text))))(t)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

type failing struct{ told strings.Builder }

func (f *failing) Write(data []byte) (int, error) {
	f.told.Write(data)
	return 0, errors.New("full")
}

func TestStderrIsDrainedAndItsEndKeptWhateverBecomesOfTheCopy(t *testing.T) {
	script := `i=0; while [ $i -lt 20000 ]; do echo "line $i" >&2; i=$((i+1)); done; exit 1`
	var copied failing
	_, err := Start(limited(t), Options{Command: "sh", Args: []string{"-c", script}, Stderr: &copied})
	var told *DisconnectedError
	if !errors.As(err, &told) || len(told.Stderr) != tailSize || !strings.HasSuffix(told.Stderr, "line 19999\n") {
		t.Fatal(err)
	}
	if !strings.HasPrefix(copied.told.String(), "line 0\n") {
		t.Errorf("%.20q is copied", copied.told.String())
	}
	if text := err.Error(); strings.Contains(text, "line 19994") || !strings.Contains(text, "line 19995") {
		t.Error(text)
	}
}
