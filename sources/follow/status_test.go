package follow

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func TestHistoryOfTheDesiredState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		history := func(n int) (messages []string) {
			t.Helper()
			found, err := w.History(t.Context(), n)
			if err != nil {
				t.Error(err)
			}
			for _, c := range found {
				messages = append(messages, c.Message)
			}
			return messages
		}
		w.desired.push("first", nil)
		w.desired.push("second", nil)
		if got := history(10); got != nil {
			t.Errorf("before anything was read: %q", got)
		}
		w.run()
		synctest.Wait()
		w.desired.push("not read yet", nil)
		if diff := cmp.Diff([]string{"second", "first"}, history(10)); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"second"}, history(1)); diff != "" {
			t.Errorf("one commit (-want +got):\n%s", diff)
		}
	})
}
