package sidecar

import (
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

const defaultCommand = "flyte-sidecar"

// Options say how [Start] runs a sidecar.
type Options struct {
	Command string    // flyte-sidecar by default, found on the PATH
	Args    []string  // its arguments: "--store", path
	Dir     string    // its folder; by default that of this process
	Env     []string  // its environment, KEY=value; by default that of this process
	Stderr  io.Writer // gets what it writes to its stderr; by default nothing does
}

func (o Options) command() string {
	if o.Command == "" {
		return defaultCommand
	}
	return o.Command
}

// hint says what may help where the command was not found.
func (o Options) hint(err error) string {
	if errors.Is(err, exec.ErrNotFound) || o.Dir == "" && errors.Is(err, fs.ErrNotExist) {
		return "; install flyte-sidecar with pip, or say in Options.Command where it is"
	}
	return ""
}

// process is a sidecar that is a child of this process.
type process struct {
	cmd    *exec.Cmd
	stderr *tail
	exited chan struct{}
	forced atomic.Bool
}

func spawn(options Options) (*process, io.ReadCloser, io.WriteCloser, error) {
	if options.Dir != "" { // exec would blame the command
		if _, err := os.Stat(options.Dir); err != nil {
			return nil, nil, nil, fmt.Errorf("Options.Dir: %w", err)
		}
	}
	stderr := &tail{next: options.Stderr}
	cmd := exec.Command(options.command(), options.Args...)
	cmd.Dir, cmd.Env, cmd.Stderr = options.Dir, options.Env, stderr
	cmd.SysProcAttr = ownGroup()
	cmd.WaitDelay = moment // for a child of the sidecar's that keeps its stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	// A pipe of our own: exec's is closed at the exit, before everything is read from it.
	stdout, theirs, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, errors.Join(err, stdin.Close())
	}
	cmd.Stdout = theirs
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		stdout.Close()
		return nil, nil, nil, err
	}
	p := &process{cmd: cmd, stderr: stderr, exited: make(chan struct{})}
	go p.wait(stdout)
	return p, output{stdout}, stdin, nil
}

func (p *process) wait(stdout *os.File) {
	_ = p.cmd.Wait() // what there is to know is in its ProcessState
	// The pipe holds all that it wrote, and ends there unless a child of its own keeps it.
	if stdout.SetReadDeadline(time.Now()) != nil {
		time.AfterFunc(moment, func() { stdout.Close() })
	}
	close(p.exited)
}

func (p *process) end(_ <-chan struct{}, patience time.Duration) {
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.forced.Store(true)
		kill(p.cmd.Process)
		<-p.exited
	}
}

func (p *process) lost(cause error) *DisconnectedError {
	return &DisconnectedError{State: p.cmd.ProcessState, Stderr: p.stderr.String(), Err: cause}
}

func (p *process) failed() error {
	switch state := p.cmd.ProcessState; {
	case state == nil: // somebody else has waited for it
		return nil
	case state.Success():
		return nil
	case p.forced.Load():
		return p.lost(errors.New("it did not end in time and was killed"))
	default:
		return p.lost(nil)
	}
}

// output reads what a sidecar writes, after its exit for as long as there is something to read.
type output struct{ *os.File }

func (o output) Read(data []byte) (int, error) {
	n, err := o.File.Read(data)
	if errors.Is(err, os.ErrDeadlineExceeded) && o.SetReadDeadline(time.Now().Add(grace)) == nil {
		n, err = o.File.Read(data)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed) {
		err = errors.New("a process that it started keeps its output open")
	}
	return n, err
}

const grace = 100 * time.Millisecond

const tailSize = 4 << 10

// tail keeps the end of what is written to it, and passes everything on for as long as it can.
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
			t.next = nil // the sidecar is not to suffer for it
		}
	}
	return len(data), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.kept), "")
}
