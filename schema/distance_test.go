package schema

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDistance(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, test := range []struct {
		a, b  string
		limit int
		want  int
	}{
		{"", "", 0, 0},
		{"version", "version", 3, 0},
		{"", "env", 3, 3},
		{"comand", "command", 3, 1},
		{"vresion", "version", 3, 1},
		{"kitten", "sitting", 3, 3},
		{"kitten", "sitting", 2, 3},
		{"abcdef", "badcfe", 3, 3},
		{"ca", "abc", 3, 3}, // what is swapped is not edited again
		{"org.stardist", "org.stardust", 1, 1},
		{"a", long, 3, 4},
		{long, long + "y", 1, 1},
		{long + "a" + long, long + "b" + long, 1, 1},
		{long, strings.Repeat("y", 100), 99, 100},
	} {
		for _, pair := range [][2]string{{test.a, test.b}, {test.b, test.a}} {
			if got := Distance(pair[0], pair[1], test.limit); got != test.want {
				t.Errorf("Distance(%q, %q, %d) = %d, want %d", pair[0], pair[1], test.limit, got, test.want)
			}
		}
	}
}

// plainDistance is Distance as textbooks have it.
func plainDistance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
		for j := range d[i] {
			switch {
			case i == 0:
				d[i][j] = j
			case j == 0:
			case a[i-1] == b[j-1]:
				d[i][j] = d[i-1][j-1]
			default:
				d[i][j] = 1 + min(d[i-1][j-1], d[i-1][j], d[i][j-1])
				if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
					d[i][j] = min(d[i][j], d[i-2][j-2]+1)
				}
			}
		}
	}
	return d[len(a)][len(b)]
}

func TestDistanceIsThePlainOne(t *testing.T) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		limit := rapid.IntRange(0, 12).Draw(t, "limit")
		if got, want := Distance(a, b, limit), min(plainDistance(a, b), limit+1); got != want {
			t.Fatalf("Distance(%q, %q, %d) = %d, want %d", a, b, limit, got, want)
		}
	})
}
