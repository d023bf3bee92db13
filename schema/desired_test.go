package schema

import "testing"

func TestSameWhereverItStands(t *testing.T) {
	read := func(text string) DesiredFile {
		t.Helper()
		f := DecodeDesired("f.yaml", []byte(text))
		if len(f.Problems.Errors()) > 0 {
			t.Fatal(f.Problems)
		}
		return f
	}
	const web, apps = "kind: Deployment\nname: web\napp: org.web\nenv: {A: b}\n", "kind: Repo\nname: apps\nurl: https://git.example.org/apps.git\npaths: [a]\n"
	a, moved := read(web+"---\n"+apps), read("# moved\n"+apps+"---\n"+web)
	other := read(web + "replicas: 2\n---\n" + apps + "apps: [org.*]\n")
	d, r := a.Deployments[0], a.Repos[0]
	for name, test := range map[string]struct{ got, want bool }{
		"a deployment elsewhere": {d.Same(moved.Deployments[0]), true},
		"another deployment":     {d.Same(other.Deployments[0]), false},
		"no other deployment":    {d.Same(nil), false},
		"no deployments":         {(*Deployment)(nil).Same(nil), true},
		"a repo elsewhere":       {r.Same(moved.Repos[0]), true},
		"another repo":           {r.Same(other.Repos[0]), false},
		"no repo before":         {(*Repo)(nil).Same(r), false},
		"no repos":               {(*Repo)(nil).Same(nil), true},
	} {
		if test.got != test.want {
			t.Errorf("%s: same is %t", name, test.got)
		}
	}
	if d.Position == (Position{}) || d.Position == moved.Deployments[0].Position {
		t.Errorf("positions are %v and %v", d.Position, moved.Deployments[0].Position)
	}
}
