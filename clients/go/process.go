package sidecar

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultCommand  = "flyte-sidecar"
	commandVariable = "FLYTE_SIDECAR"
	install         = "install flyte-sidecar with \"uv tool install flyte-sidecar\", " +
		"\"pipx install flyte-sidecar\" or \"pip install flyte-sidecar\""
)

// Options configure how [Start] runs a sidecar. The zero value runs flyte-sidecar from the PATH.
type Options struct {
	// Command is the command to run: a path, or a name on the PATH. Default: FLYTE_SIDECAR in the
	// environment of this process, else flyte-sidecar.
	Command string
	// Args are the arguments of the command, for example "--store" and a path.
	Args []string
	// Dir is the working directory of the command. Default: that of this process.
	Dir string
	// Env is the environment of the command, as KEY=value. Default: that of this process.
	Env []string
	// Stderr receives what the command writes to stderr. Default: it is discarded.
	Stderr io.Writer
	// OnAuthRequired shows a person how to log in at the Flyte deployment, which calls wait for. It
	// is called in its own goroutine. Default: log.Print of the message.
	OnAuthRequired func(*AuthRequired)
}

func (o Options) command() string {
	return cmp.Or(o.Command, os.Getenv(commandVariable), defaultCommand)
}

// hint returns what was tried and what to do, if the command was not found.
func (o Options) hint(err error) string {
	if !errors.Is(err, exec.ErrNotFound) && (o.Dir != "" || !errors.Is(err, fs.ErrNotExist)) {
		return ""
	}
	source := "neither Options.Command nor " + commandVariable + " is set, so it is searched on the PATH"
	switch o.command() {
	case o.Command:
		source = "Options.Command selects it"
	case os.Getenv(commandVariable):
		source = commandVariable + " selects it"
	}
	return "; " + source + "; " + install
}

// process is a sidecar that is a child process.
type process struct {
	cmd    *exec.Cmd
	stderr *tail
	exited chan struct{}
	killed atomic.Bool
}

func spawn(options Options) (*process, io.ReadCloser, io.WriteCloser, error) {
	if options.Dir != "" { // exec would report that the command does not exist
		if _, err := os.Stat(options.Dir); err != nil {
			return nil, nil, nil, fmt.Errorf("Options.Dir: %w", err)
		}
	}
	stderr := &tail{next: options.Stderr}
	cmd := exec.Command(options.command(), options.Args...)
	cmd.Dir, cmd.Env, cmd.Stderr = options.Dir, options.Env, stderr
	cmd.SysProcAttr = newProcessGroup()
	cmd.WaitDelay = grace // a child of the sidecar may keep stderr open
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	// StdoutPipe would be closed at the exit, before all output has been read.
	stdout, childStdout, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, errors.Join(err, stdin.Close())
	}
	cmd.Stdout = childStdout
	err = cmd.Start()
	childStdout.Close()
	if err != nil {
		stdout.Close()
		return nil, nil, nil, err
	}
	p := &process{cmd: cmd, stderr: stderr, exited: make(chan struct{})}
	go p.wait(stdout)
	return p, output{stdout}, stdin, nil
}

func (p *process) wait(stdout *os.File) {
	_ = p.cmd.Wait() // ProcessState has the result
	// The pipe contains all output. It has no end if a child of the sidecar keeps it open.
	if stdout.SetReadDeadline(time.Now()) != nil {
		time.AfterFunc(grace, func() { stdout.Close() })
	}
	close(p.exited)
}

func (p *process) end(_ <-chan struct{}, timeout time.Duration) {
	select {
	case <-p.exited:
	case <-time.After(timeout):
		p.killed.Store(true)
		kill(p.cmd.Process)
		<-p.exited
	}
}

func (p *process) disconnected(cause error) *DisconnectedError {
	return &DisconnectedError{State: p.cmd.ProcessState, Stderr: p.stderr.String(), Err: cause}
}

func (p *process) exitError() error {
	switch state := p.cmd.ProcessState; {
	case state == nil: // other code in this program has waited for the process
		return nil
	case state.Success():
		return nil
	case p.killed.Load():
		return p.disconnected(errors.New("it did not exit in time and was killed"))
	default:
		return p.disconnected(nil)
	}
}

// drainTimeout limits how long one read may take after the exit of the sidecar.
const drainTimeout = 100 * time.Millisecond

// output reads the stdout of a sidecar, also what is left in the pipe after its exit.
type output struct{ *os.File }

func (o output) Read(data []byte) (int, error) {
	n, err := o.File.Read(data)
	if errors.Is(err, os.ErrDeadlineExceeded) && o.SetReadDeadline(time.Now().Add(drainTimeout)) == nil {
		n, err = o.File.Read(data)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed) {
		err = errors.New("a child process of the sidecar keeps its stdout open")
	}
	return n, err
}

const tailSize = 4 << 10

// tail keeps the last bytes written to it, and copies everything to next until that fails.
type tail struct {
	next io.Writer

	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(data []byte) (int, error) {
	t.mu.Lock()
	t.kept = append(t.kept, data...)
	t.kept = t.kept[max(0, len(t.kept)-tailSize):]
	t.mu.Unlock()
	if t.next != nil {
		if _, err := t.next.Write(data); err != nil {
			t.next = nil // an error here would end the sidecar's stderr
		}
	}
	return len(data), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.kept), "")
}
