package kubernetes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/backends"
)

// What is kept of a log is its end, within bounds, and told as it is asked for.
func TestKeptLog(t *testing.T) {
	start := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var k keptLog
	for i := range 3 * keptLines {
		if err := k.add(backends.LogLine{Time: start.Add(time.Duration(i) * time.Second), Text: fmt.Sprintf("line %d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(k.lines); n != keptLines {
		t.Errorf("%d lines are kept, want %d", n, keptLines)
	}
	last := 3*keptLines - 1
	for name, test := range map[string]struct {
		ask  backends.LogOptions
		want []string
	}{
		"tail":          {backends.LogOptions{Tail: 2}, []string{fmt.Sprint("line ", last-1), fmt.Sprint("line ", last)}},
		"since":         {backends.LogOptions{Tail: -1, Since: start.Add(time.Duration(last) * time.Second)}, []string{fmt.Sprint("line ", last)}},
		"no tail":       {backends.LogOptions{}, nil},
		"since its end": {backends.LogOptions{Tail: 5, Since: start.Add(time.Hour)}, nil},
	} {
		var got []string
		if err := k.tell(test.ask, func(l backends.LogLine) error { got = append(got, l.Text); return nil }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	long := strings.Repeat("é", backends.MaxLogLine/2)
	for range 3 {
		if err := k.add(backends.LogLine{Text: long}); err != nil {
			t.Fatal(err)
		}
	}
	if len(k.lines) != 1 || k.size > keptBytes || !strings.HasPrefix(long, k.lines[0].Text) || k.lines[0].Text == "" {
		t.Errorf("%d lines of %d bytes are kept, want one of at most %d", len(k.lines), k.size, keptBytes)
	}
}
