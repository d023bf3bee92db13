package statuses

import (
	"strings"
	"testing"
)

func TestPlace(t *testing.T) {
	for _, tt := range []struct{ url, host, name string }{
		{"https://git.example.org/lab/apps.git", "git.example.org", "https://git.example.org/lab/apps.git"},
		{"https://berth:s3cret@Git.Example.org:8443/lab/apps.git", "git.example.org", "https://Git.Example.org:8443/lab/apps.git"},
		{"https://git.example.org/lab/apps.git?token=s3cret#s3cret", "git.example.org", "https://git.example.org/lab/apps.git"},
		{"ssh://git@git.example.org:2222/lab/apps.git", "git.example.org", "ssh://git.example.org:2222/lab/apps.git"},
		{"git@git.example.org:lab/apps.git", "git.example.org", "git.example.org:lab/apps.git"},
		{"berth:s3cret@git.example.org:lab/apps.git", "git.example.org", "git.example.org:lab/apps.git"},
		{"https://berth:s3cret%zz@git.example.org/x.git", "", "https://…"},
		{"file:///srv/git/apps.git", "", "file:///srv/git/apps.git"},
		{"/srv/git@home/apps.git", "", "/srv/git@home/apps.git"},
		{"./apps", "", "./apps"},
		{"apps", "", "apps"},
		{"", "", ""},
	} {
		host, name := place(tt.url)
		if host != tt.host || name != tt.name || strings.Contains(name, "s3cret") {
			t.Errorf("%s: %q, %q", tt.url, host, name)
		}
	}
}
