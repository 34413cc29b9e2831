package sidecar

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	commandName     = "flyte-sidecar"
	commandVariable = "FLYTE_SIDECAR"
	install         = "install flyte-sidecar with \"uv tool install flyte-sidecar\", " +
		"\"pipx install flyte-sidecar\" or \"pip install flyte-sidecar\""
)

// uvxArgs run the version of this package. The extra contains what logins at a deployment need:
// nobody could add it to an environment that uvx creates.
var uvxArgs = []string{"--from", commandName + "[flyte]==" + clientVersion, commandName}

// CommandSource is where a [Command] was found.
type CommandSource string

// The sources of a command, in the order in which they are searched.
const (
	// SourceOption means that Options.Command selects it.
	SourceOption CommandSource = "option"
	// SourceEnvironment means that FLYTE_SIDECAR in the environment selects it.
	SourceEnvironment CommandSource = "environment"
	// SourceBundled means that it is in the folder of the running program.
	SourceBundled CommandSource = "bundled"
	// SourcePath means that it is on the PATH.
	SourcePath CommandSource = "path"
	// SourceUvx means that uvx, which is on the PATH, downloads and runs it.
	SourceUvx CommandSource = "uvx"
)

// Command is the command that runs a sidecar.
type Command struct {
	// Path is the absolute path of the program.
	Path string
	// Args are its arguments before Options.Args.
	Args []string
	// Source is where the program was found.
	Source CommandSource
}

// String returns the command and its source.
func (c *Command) String() string {
	return fmt.Sprintf("%s (%s)", strings.Join(append([]string{c.Path}, c.Args...), " "), c.Source)
}

// command returns the command that the options and their environment select.
func (o Options) command() (*Command, error) {
	if o.Dir != "" { // else exec would report that the command does not exist
		if _, err := os.Stat(o.Dir); err != nil {
			return &Command{Path: cmp.Or(o.Command, commandName)}, fmt.Errorf("Options.Dir: %w", err)
		}
	}
	search := o.getenv("PATH")
	if o.Command != "" {
		path, err := o.selected(o.Command, "Options.Command", search)
		return &Command{Path: path, Source: SourceOption}, err
	}
	if named := o.getenv(commandVariable); named != "" {
		path, err := o.selected(named, commandVariable, search)
		return &Command{Path: path, Source: SourceEnvironment}, err
	}
	bundled := bundledCommand()
	if _, err := exec.LookPath(bundled); err == nil {
		return &Command{Path: bundled, Source: SourceBundled}, nil
	}
	if path := searchPath(commandName, search); path != "" {
		return &Command{Path: path, Source: SourcePath}, nil
	}
	if path := searchPath("uvx", search); path != "" {
		return &Command{Path: path, Args: uvxArgs, Source: SourceUvx}, nil
	}
	err := fmt.Errorf("it was not found. Tried: Options.Command (not set), %s (not set), %s (next to this program),"+
		" %s and uvx in the folders of the PATH (%s); %s",
		commandVariable, cmp.Or(bundled, "none"), commandName, cmp.Or(search, "not set"), install)
	return &Command{Path: commandName}, err
}

// selected returns the absolute path of a command that somebody has selected.
func (o Options) selected(command, source, search string) (string, error) {
	if filepath.Base(command) == command {
		if found := searchPath(command, search); found != "" {
			return found, nil
		}
		return command, fmt.Errorf("%s selects it, but no folder of the PATH (%s) has a program of this name; %s",
			source, cmp.Or(search, "not set"), install)
	}
	path := command
	if rest, found := strings.CutPrefix(command, "~/"); found {
		home, err := os.UserHomeDir()
		if err != nil {
			return command, err
		}
		path = filepath.Join(home, rest)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(o.Dir, path)
	}
	path, err := filepath.Abs(withSuffix(path))
	if err != nil {
		return command, err
	}
	var problem *exec.Error
	if _, err := exec.LookPath(path); errors.As(err, &problem) {
		return command, fmt.Errorf("%s selects it, but %s is not a program: %w; %s", source, path, problem.Err, install)
	}
	return path, nil
}

// getenv returns a variable of the command's environment. As for a process, the last value counts.
func (o Options) getenv(name string) string {
	env := o.Env
	if env == nil {
		return os.Getenv(name)
	}
	value := ""
	for _, each := range env {
		key, text, _ := strings.Cut(each, "=")
		if key == name || runtime.GOOS == "windows" && strings.EqualFold(key, name) {
			value = text
		}
	}
	return value
}

// bundledCommand returns the path of the command in the folder of this program, unless that is this
// program.
func bundledCommand() string {
	program, err := os.Executable()
	if err != nil {
		return ""
	}
	if resolved, err := filepath.EvalSymlinks(program); err == nil {
		program = resolved
	}
	bundled := filepath.Join(filepath.Dir(program), withSuffix(commandName))
	if bundled == program {
		return ""
	}
	return bundled
}

// searchPath returns the path of a program in the folders of a search path. Empty and relative
// entries are skipped: they depend on the working directory.
func searchPath(name, search string) string {
	for _, folder := range filepath.SplitList(search) {
		file := filepath.Join(folder, withSuffix(name))
		if _, err := exec.LookPath(file); err == nil && filepath.IsAbs(folder) {
			return file
		}
	}
	return ""
}

// withSuffix returns the path of a program. On Windows it is an .exe, as for the other clients.
func withSuffix(file string) string {
	if runtime.GOOS == "windows" && !strings.EqualFold(filepath.Ext(file), ".exe") {
		return file + ".exe"
	}
	return file
}

// hint returns what may be the cause of an error of a command that was found.
func (c *Command) hint(err error) string {
	switch {
	case c.Source == SourceUvx:
		return "; to do without uvx, " + install
	case errors.Is(err, fs.ErrNotExist):
		return "; the file exists, but not the interpreter or the loader that it needs"
	}
	return ""
}
