package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// fileSuffix behind a secret's name names a variable that holds the path of a
// file with the value: what an orchestrator mounts is not seen in `docker
// inspect` or in /proc/PID/environ.
const fileSuffix = "_FILE"

// maxSecretBytes bounds what is read: a wrong path may name anything.
const maxSecretBytes = 64 << 10

// lookup is the variable's value: its own or, for a secret, that of the file
// which NAME_FILE names, without one newline at its end.
func (v variable) lookup(get func(string) string) (string, error) {
	value := strings.TrimSpace(get(v.Name))
	if !v.secret {
		return value, nil
	}
	path := strings.TrimSpace(get(v.Name + fileSuffix))
	switch {
	case path == "":
		return value, nil
	case value != "":
		return "", fmt.Errorf("%s and %s%s are both set: only one of them may be", v.Name, v.Name, fileSuffix)
	}
	value, err := secretFile(path)
	if err != nil {
		return "", fmt.Errorf("%s%s=%q: %w", v.Name, fileSuffix, shownPath(path), err)
	}
	return value, nil
}

// shownPath is the path as an error may repeat it: what is none may be the
// secret itself, given under the wrong name.
func shownPath(path string) string {
	if !filepath.IsAbs(path) {
		return "***"
	}
	return path
}

func secretFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxSecretBytes) {
		return "", fmt.Errorf("must be a file of at most %d bytes", maxSecretBytes)
	}
	var content []byte
	if err == nil {
		content, err = readAtMost(path, maxSecretBytes)
	}
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err // the path is named already
	}
	if err != nil {
		return "", fmt.Errorf("must be a file that can be read: %w", err)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if value == "" {
		return "", errors.New("is empty: it must hold the value")
	}
	return value, nil
}

// readAtMost stops where a file that has no size, as those of /proc, would not.
func readAtMost(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, most))
}
