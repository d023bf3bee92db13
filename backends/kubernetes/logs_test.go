package kubernetes

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/types"

	"github.com/berthdev/berth/backends"
)

func TestLogLines(t *testing.T) {
	at := func(nanos int) time.Time { return time.Date(2026, 11, 21, 12, 0, 0, nanos, time.UTC) }
	const stream = "2026-11-21T12:00:00.000000001Z one\n" +
		"2026-11-21T12:00:00.000000002Z \n" +
		"2026-11-21T12:00:00.000000003Z three\n" +
		"2026-11-21T12:00:00.000000003Z three again\n" +
		"2026-11-21T12:00:00.000000004Z no end"
	for name, test := range map[string]struct {
		since time.Time
		after bool
		want  []string
	}{
		"all":        {time.Time{}, false, []string{"one", "", "three", "three again", "no end"}},
		"from":       {at(3), false, []string{"three", "three again", "no end"}},
		"after":      {at(3), true, []string{"no end"}},
		"after none": {at(9), true, nil},
	} {
		l := &logReader{since: test.since, after: test.after}
		var got []string
		_, err := l.lines(strings.NewReader(stream), func(line backends.LogLine) error {
			l.told(line)
			got = append(got, line.Text)
			return nil
		})
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, test.want)
		}
	}
	enough := errors.New("enough")
	if refused, err := new(logReader).lines(strings.NewReader(stream), func(backends.LogLine) error { return enough }); !refused || !errors.Is(err, enough) {
		t.Errorf("the reader's error: %t, %v", refused, err)
	}
}

func FuzzLogLines(f *testing.F) {
	f.Add("2026-11-21T12:00:00.1Z text\nunable to retrieve container logs\n\n \n")
	f.Add(strings.Repeat("x", 100<<10))
	f.Fuzz(func(t *testing.T, stream string) {
		total := 0
		_, err := new(logReader).lines(strings.NewReader(stream), func(line backends.LogLine) error {
			if len(line.Text) > backends.MaxLogLine || !utf8.ValidString(line.Text) || strings.Contains(line.Text, "\n") {
				t.Errorf("line %.100q", line.Text)
			}
			total += len(line.Text)
			return nil
		})
		if err != nil || total > 3*len(stream) {
			t.Errorf("%d bytes of %d, %v", total, len(stream), err)
		}
	})
}

func TestParseSummary(t *testing.T) {
	const summary = `{"node": {"nodeName": "a"}, "pods": [
		{"podRef": {"name": "web-1", "namespace": "lab", "uid": "x"}, "containers": [
			{"name": "app", "cpu": {"usageNanoCores": 250000000}, "memory": {"workingSetBytes": 1048576}},
			{"name": "proxy", "cpu": {"usageNanoCores": 1000000}, "memory": {"workingSetBytes": 1}}]},
		{"podRef": {"name": "new", "namespace": "lab"}}]}`
	got, err := parseSummary([]byte(summary))
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if u := got[types.NamespacedName{Namespace: "lab", Name: "web-1"}]; u.CPU != 251 || u.Memory != 1<<20+1 {
		t.Errorf("%+v", u)
	}
}

func FuzzParseSummary(f *testing.F) {
	f.Add([]byte(`{"pods": [{"podRef": {"name": "a"}, "containers": [{"cpu": {"usageNanoCores": 18446744073709551615}, "memory": {"workingSetBytes": 18446744073709551615}}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		used, err := parseSummary(raw)
		for name, u := range used {
			if err == nil && (u.CPU < 0 || u.Memory < 0) {
				t.Errorf("%s uses %+v", name, u)
			}
		}
	})
}
