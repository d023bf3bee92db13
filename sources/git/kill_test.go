package git

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fetchVariable makes the test binary update from a URL into a data folder,
// separated by a space.
const fetchVariable = "BERTH_TEST_FETCH"

func fetchUntilKilled(what string) {
	dir, repo, _ := strings.Cut(what, " ")
	d, err := OpenDir(dir)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	src, err := Open(Options{Dir: d, URL: repo})
	if err == nil {
		_, err = src.Update(context.Background())
	}
	fmt.Println(err)
	os.Exit(1)
}

// A process that is killed in the middle of a fetch leaves what was there
// before, and the lock free.
func TestKilledInTheMiddleOfAFetch(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", strings.Repeat("some text\n", 1000))
	s := newServer(t, r)
	dir := filepath.Join(t.TempDir(), "data")
	kill := func() {
		t.Helper()
		half := make(chan bool)
		s.setHandle(func(w http.ResponseWriter, req *http.Request) bool {
			if req.Method != http.MethodPost {
				return false
			}
			s.setHandle(nil)
			whole := httptest.NewRecorder()
			s.Config.Handler.ServeHTTP(whole, req)
			w.Header().Set("Content-Type", resultType)
			_, _ = io.WriteString(w, whole.Body.String()[:whole.Body.Len()/2])
			w.(http.Flusher).Flush()
			close(half)
			<-req.Context().Done() // until the process is gone
			return true
		})
		self, err := os.Executable()
		must(t, err)
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), fetchVariable+"="+dir+" "+s.repoURL())
		must(t, cmd.Start())
		<-half
		must(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	kill()
	withDir(t, dir, func(d *Dir) {
		src := open(t, Options{Dir: d, URL: s.repoURL()})
		defer src.Close()
		if stored, err := src.Stored(context.Background()); err != nil || stored != nil {
			t.Errorf("stored is %v, %v", stored, err)
		}
		if snap := update(t, src); snap.Commit != first {
			t.Errorf("commit is %s", snap.Commit)
		}
	})
	second := r.push("second", "a.yaml", strings.Repeat("other text\n", 1000))
	kill()
	withDir(t, dir, func(d *Dir) {
		src := open(t, Options{Dir: d, URL: s.repoURL()})
		defer src.Close()
		if stored, err := src.Stored(context.Background()); err != nil || stored == nil || stored.Commit != first {
			t.Errorf("stored is %v, %v", stored, err)
		}
		if snap := update(t, src); snap.Commit != second {
			t.Errorf("commit is %s", snap.Commit)
		}
	})
}
