//go:build linux || darwin

package sidecar

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTheSidecarExitsWhenItsParentIsKilled(t *testing.T) {
	for name, script := range map[string]string{
		"flyte-sidecar": `exec "$SIDECAR" 3>"$FIFO"`,
		"uvx":           `shift 3; "$SIDECAR" "$@" 3>"$FIFO"; :`,
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			writeScript(t, folder, name, script)
			fifo := filepath.Join(folder, "fifo")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			program := exec.Command(os.Args[0])
			program.Env = []string{roleEnv + "=parent", "FIFO=" + fifo, "PATH=" + folder,
				"SIDECAR=" + must(exec.LookPath("flyte-sidecar"))(t),
				"FLYTE_SIDECAR_STORE=" + filepath.Join(t.TempDir(), "events.db")}
			program.Stderr = os.Stderr
			stdout := must(program.StdoutPipe())(t)
			if err := program.Start(); err != nil {
				t.Fatal(err)
			}
			held := must(os.Open(fifo))(t) // the sidecar keeps the other end open until it exits
			defer held.Close()
			if line, err := bufio.NewReader(stdout).ReadString('\n'); !strings.HasPrefix(line, filepath.Join(folder, name)) {
				t.Fatalf("%q (%v)", line, err)
			}
			if err := program.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = program.Wait()
			if _, err := io.ReadAll(held); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheChildrenOfAWrapperAreKilledWhenStartIsCancelled(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(testContext(t))
	enough := errors.New("enough")
	held := background(func() (*os.File, error) {
		defer cancel(enough) // once its child runs
		return os.Open(fifo)
	})
	_, err := Start(ctx, Options{Command: "sh", Args: []string{"-c", `sleep 1000 >"$0"; :`, fifo}})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, enough) || !errors.Is(err, KindSpawnFailed) {
		t.Error(err)
	}
	got := <-held
	defer got.value.Close()
	if _, err := io.ReadAll(got.value); err != nil {
		t.Error(err)
	}
}

func TestTheSidecarIsNotInTheProcessGroupOfTheTerminal(t *testing.T) {
	client := start(t)
	group := must(syscall.Getpgid(client.process().cmd.Process.Pid))(t)
	if group == syscall.Getpgrp() {
		t.Error("it is in the process group of this process")
	}
}
