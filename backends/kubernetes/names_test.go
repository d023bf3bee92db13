package kubernetes

import (
	"regexp"
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
)

func TestDNSName(t *testing.T) {
	long := strings.Repeat("ab-", 30)
	for text, want := range map[string]string{
		"john":               "john",
		"a-b-1":              "a-b-1",
		"John":               "john-a8cfcd74",
		"jürgen@example.org": "j-rgen-example-org-" + shortHash("jürgen@example.org"),
		"":                   shortHash(""),
		"---":                shortHash("---"),
		long:                 strings.TrimRight(long[:54], "-") + "-" + shortHash(long),
		"john-a8cfcd74":      "john-a8cfcd74-" + shortHash("john-a8cfcd74"), // it is no name with a hash
	} {
		if got := dnsName(text, maxName); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("john", "John")
	f.Add("a_b", "a.b")
	f.Add(strings.Repeat("x", 100), strings.Repeat("x", 99))
	value := regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$`)
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, most := range []int{30, maxName} {
			x, y := dnsName(a, most), dnsName(b, most)
			if !dnsLabel.MatchString(x) || len(x) > most {
				t.Errorf("%q makes %q", a, x)
			}
			if a != b && x == y {
				t.Errorf("%q and %q make %q", a, b, x)
			}
		}
		if v := labelValue(a); !value.MatchString(v) {
			t.Errorf("%q makes the label value %q", a, v)
		}
	})
}

func TestLabelValue(t *testing.T) {
	for text, want := range map[string]string{
		"1.2.0":            "1.2.0",
		"0.4.10+build.7":   "0.4.10-build.7",
		"org/example@x":    "org-example-x",
		"-":                "",
		"größe":            "gr--e",
		long(70) + "+rest": long(63),
		long(62) + "++":    long(62),
	} {
		if got := labelValue(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func long(n int) string { return strings.Repeat("v", n) }

func TestNamespaceOf(t *testing.T) {
	byUser := &schema.Namespaces{Template: "berth-{user}"}
	byGroup := &schema.Namespaces{Template: "lab-{group}-apps", Create: true, Groups: []schema.NamespaceGroup{
		{Name: "imaging", Users: []string{"john", "jane"}}, {Name: "seven", Users: []string{"ann"}},
	}}
	for _, test := range []struct {
		namespaces *schema.Namespaces
		user, want string
	}{
		{nil, "john", "berth"},
		{byUser, "", "berth"},
		{byUser, "john", "berth-john"},
		{byUser, "John", "berth-john-a8cfcd74"},
		{byUser, "../kube-system", "berth-" + dnsName("../kube-system", 57)},
		{byUser, strings.Repeat("x", 90), "berth-" + strings.Repeat("x", 48) + "-" + shortHash(strings.Repeat("x", 90))},
		{byGroup, "jane", "lab-imaging-apps"},
		{byGroup, "ann", "lab-seven-apps"},
		{byGroup, "nobody", "berth"},
	} {
		s := lab()
		s.cfg.Namespaces = test.namespaces
		got := s.namespaceOf(test.user)
		if got != test.want || !dnsLabel.MatchString(got) {
			t.Errorf("%q: %q, want %q", test.user, got, test.want)
		}
		if may := test.namespaces != nil && test.namespaces.Create; s.mayCreate(got) != may {
			t.Errorf("%q: may be made: %t, want %t", got, !may, may)
		}
	}
	if n := lab().namespaceObject("x"); n.Labels[labelInstance] != "lab" || n.Name != "x" {
		t.Errorf("%+v", n)
	}
}
