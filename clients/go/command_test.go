//go:build unix

package sidecar

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// scriptedSidecar is a script that responds to initialize and exits at the end of its input.
const scriptedSidecar = initializeScript + `; while read line; do :; done`

func TestTheFirstCommandInTheDocumentedOrderIsUsedAndReported(t *testing.T) {
	other, installed, withUvx := t.TempDir(), filepath.Join(t.TempDir(), "with space"), t.TempDir()
	path := writeScript(t, installed, "flyte-sidecar", scriptedSidecar)
	expected := append(slices.Clone(uvxArgs), "--store", "s")
	uvx := writeScript(t, withUvx, "uvx", `[ "$*" = "`+strings.Join(expected, " ")+`" ] || exit 9; `+scriptedSidecar)
	home := must(os.UserHomeDir())(t)
	fromHome := "~/" + must(filepath.Rel(home, path))(t)
	both := strings.Join([]string{other, withUvx, installed}, ":")
	for _, each := range []struct {
		options Options
		command Command
	}{
		{Options{Command: path, Env: []string{"PATH=" + other, "FLYTE_SIDECAR=/none"}}, Command{path, nil, SourceOption}},
		{Options{Command: "flyte-sidecar", Env: []string{"PATH=" + installed}}, Command{path, nil, SourceOption}},
		{Options{Command: fromHome, Env: []string{}}, Command{path, nil, SourceOption}},
		{Options{Command: "./flyte-sidecar", Dir: installed, Env: []string{}}, Command{path, nil, SourceOption}},
		{Options{Env: []string{"PATH=" + other, "FLYTE_SIDECAR=/none", "FLYTE_SIDECAR=" + path}}, Command{path, nil, SourceEnvironment}},
		{Options{Env: []string{"PATH=" + installed, "FLYTE_SIDECAR=flyte-sidecar"}}, Command{path, nil, SourceEnvironment}},
		{Options{Env: []string{"PATH=" + both, "FLYTE_SIDECAR="}}, Command{path, nil, SourcePath}},
		{Options{Env: []string{"PATH=" + withUvx}}, Command{uvx, uvxArgs, SourceUvx}},
	} {
		each.options.Args = []string{"--store", "s"}
		client, err := Start(testContext(t), each.options)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := client.Command(); got.String() != each.command.String() {
			t.Errorf("%v, not %v", got, &each.command)
		}
		if err := client.Close(); err != nil {
			t.Error(each, err)
		}
	}
}

func TestTheCommandNextToTheProgramIsUsedBeforeThePath(t *testing.T) {
	folder := t.TempDir()
	program := filepath.Join(folder, "program")
	text := must(os.ReadFile(must(os.Executable())(t)))(t)
	if err := os.WriteFile(program, text, 0o755); err != nil {
		t.Fatal(err)
	}
	path := writeScript(t, folder, "flyte-sidecar", scriptedSidecar)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(link)
	cmd.Env = append(os.Environ(), roleEnv+"=reporter")
	if output, err := cmd.Output(); string(output) != path+" (bundled)" {
		t.Errorf("%q (%v)", output, err)
	}
}

func TestWhatIsNoProgramAndRelativeFoldersAreSkippedOnThePath(t *testing.T) {
	here, folder, text, last := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	writeScript(t, here, "flyte-sidecar", scriptedSidecar)
	t.Chdir(here)
	if err := errors.Join(
		os.Mkdir(filepath.Join(folder, "flyte-sidecar"), 0o755),
		os.WriteFile(filepath.Join(text, "flyte-sidecar"), nil, 0o644),
	); err != nil {
		t.Fatal(err)
	}
	path := writeScript(t, last, "flyte-sidecar", scriptedSidecar)
	search := strings.Join([]string{"", ".", "../" + filepath.Base(here), folder, text, last}, ":")
	command, err := Options{Env: []string{"PATH=" + search}}.command()
	if err != nil || command.Path != path {
		t.Error(command, err)
	}
}

func TestAMissingCommandIsAnErrorThatNamesWhatWasTriedAndHowToInstallIt(t *testing.T) {
	here := t.TempDir()
	if err := os.Mkdir(filepath.Join(here, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(here, "text"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	noName := "but no folder of the PATH (" + here + ") has a program of this name"
	for _, each := range []struct{ option, variable, command, tried string }{
		{"none", "", "none", "Options.Command selects it, " + noName},
		{"none", "flyte-sidecar", "none", "Options.Command selects it, " + noName},
		{"", "none --option", "none --option", "FLYTE_SIDECAR selects it, " + noName},
		{"", "/none", "/none", "FLYTE_SIDECAR selects it, but /none is not a program: stat /none: no such file or directory"},
		{"./folder", "", "./folder", "Options.Command selects it, but " + here + "/folder is not a program: is a directory"},
		{"./text", "", "./text", "Options.Command selects it, but " + here + "/text is not a program: permission denied"},
		{"", "", "flyte-sidecar", "it was not found. Tried: Options.Command (not set), FLYTE_SIDECAR (not set), " +
			bundledCommand() + " (next to this program), flyte-sidecar and uvx in the folders of the PATH (" + here + ")"},
	} {
		t.Setenv("FLYTE_SIDECAR", each.variable)
		t.Setenv("PATH", here)
		_, err := Start(testContext(t), Options{Command: each.option, Dir: here})
		var target *StartError
		if !errors.Is(err, KindSpawnFailed) || !errors.As(err, &target) || target.Command != each.command {
			t.Error(err)
		}
		if expected := "sidecar: cannot start " + each.command + ": " + each.tried + "; " + install; err.Error() != expected {
			t.Errorf("\n%s\n%s", err, expected)
		}
	}
}

func TestACommandWithoutItsInterpreterIsExplained(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(path, []byte("#!/no/such/python\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Start(testContext(t), Options{Command: path})
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasSuffix(err.Error(), "; the file exists, but not the interpreter or the loader that it needs") {
		t.Error(err)
	}
}

func TestTheErrorOfUvxIsReported(t *testing.T) {
	folder := t.TempDir()
	path := writeScript(t, folder, "uvx", `echo 'error: Failed to fetch' >&2; exit 2`)
	_, err := Start(testContext(t), Options{Env: []string{"PATH=" + folder}})
	var target *DisconnectedError
	if !errors.As(err, &target) || target.State.ExitCode() != 2 {
		t.Fatal(err)
	}
	for _, text := range []string{"cannot start " + path, "error: Failed to fetch", "; to do without uvx, " + install} {
		if !strings.Contains(err.Error(), text) {
			t.Error(err)
		}
	}
}

// writeScript writes an executable shell script and returns its path.
func writeScript(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := errors.Join(
		os.MkdirAll(folder, 0o755),
		os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755),
	); err != nil {
		t.Fatal(err)
	}
	return path
}
