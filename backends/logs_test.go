package backends_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/berthdev/berth/backends"
)

// cut returns the lines of data that comes in pieces of a size.
func cut(t testing.TB, data string, size int) []string {
	t.Helper()
	var lines []string
	c := backends.LineCutter{Each: func(l backends.LogLine) error { lines = append(lines, l.Text); return nil }}
	for piece := range slices.Chunk([]byte(data), size) {
		if err := c.Write(time.Time{}, piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.End(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestLineCutter(t *testing.T) {
	const most = backends.MaxLogLine
	long := strings.Repeat("x", most)
	for _, test := range []struct {
		name, data string
		want       []string
	}{
		{"nothing", "", nil},
		{"lines", "one\ntwo\n", []string{"one", "two"}},
		{"no end", "one\ntwo", []string{"one", "two"}},
		{"empty lines", "\n\none\n", []string{"", "", "one"}},
		{"of a terminal", "one\r\n50%\r100%\r\n", []string{"one", "50%\r100%"}},
		{"longest", long + "\nnext\n", []string{long, "next"}},
		{"too long", long + "yz\nnext\n", []string{long, "yz", "next"}},
		{"much too long", long + long + long, []string{long, long, long}},
		{"character on the edge", long[1:] + "ü!\n", []string{long[1:], "ü!"}},
		{"no UTF-8", "a\xff\xfeb\xc3\n", []string{"a\ufffdb\ufffd"}},
		{"longer by what is no UTF-8", strings.Repeat("a\xff", most/2), []string{
			strings.Repeat("a\ufffd", most/4), strings.Repeat("a\ufffd", most/4),
		}},
	} {
		for _, size := range []int{1, 7, 4096, 1 << 20} {
			if got := cut(t, test.data, size); !slices.Equal(got, test.want) {
				t.Errorf("%s in pieces of %d: %d lines, want %d: %.200q", test.name, size, len(got), len(test.want), got)
			}
		}
	}
}

// A line has the time of its beginning, and the name of its output.
func TestLineCutterTells(t *testing.T) {
	var got []backends.LogLine
	c := backends.LineCutter{Stderr: true, Each: func(l backends.LogLine) error { got = append(got, l); return nil }}
	first := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, piece := range []string{"be", "gins\nnext\n", "last"} {
		if err := c.Write(first.Add(time.Duration(i)*time.Second), []byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	want := []backends.LogLine{{first, true, "begins"}, {first.Add(time.Second), true, "next"}}
	if !slices.Equal(got, want) {
		t.Errorf("lines %v, want %v", got, want)
	}
	enough := errors.New("enough")
	c.Each = func(backends.LogLine) error { return enough }
	if err := c.End(); !errors.Is(err, enough) {
		t.Errorf("end: %v", err)
	}
	if err := c.Write(first, []byte("a\nb\n")); !errors.Is(err, enough) {
		t.Errorf("write: %v", err)
	}
}

// However the pieces come, the lines are the same, valid and not too long.
func FuzzLineCutter(f *testing.F) {
	f.Add("one\ntwo\r\n\xff", 1, 1)
	f.Add("grüße", 20000, 4095)
	f.Add("a\xff", 70000, 65537)
	f.Fuzz(func(t *testing.T, data string, times, size int) {
		times, size = times&0x1ffff, 1+size&0x1ffff
		data = strings.Repeat(data, min(times, (1<<18)/max(1, len(data))+1))
		lines := cut(t, data, size)
		for _, l := range lines {
			if len(l) > backends.MaxLogLine || !utf8.ValidString(l) || strings.Contains(l, "\n") {
				t.Fatalf("a line of %d bytes: %.100q", len(l), l)
			}
		}
		if !slices.Equal(lines, cut(t, data, 1<<20)) {
			t.Fatal("pieces make a difference")
		}
		if utf8.ValidString(data) && strings.Join(lines, "") != strings.NewReplacer("\r\n", "", "\n", "").Replace(data) {
			t.Fatal("something was lost")
		}
	})
}
