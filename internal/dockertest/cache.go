package dockertest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Cache names a file or folder in the module's .cache, where stays what is built
// for tests.
func Cache(elem ...string) (string, error) {
	root, err := moduleRoot()
	return filepath.Join(append([]string{root, ".cache"}, elem...)...), err
}

var moduleRoot = sync.OnceValues(func() (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return strings.TrimSpace(string(root)), nil
})
