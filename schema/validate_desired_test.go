package schema

import "testing"

func TestValidateADeploymentOfNoFile(t *testing.T) {
	if problems := (&Deployment{App: "org.example.app", Version: "^1"}).Validate(); len(problems) > 0 {
		t.Error(problems)
	}
	replicas := 1001
	d := Deployment{App: "-x", Replicas: &replicas}
	const want = `app: "-x" is no identifier (use letters, digits, and . _ - / between them, as in org.stardist)
replicas: must be from 0 to 1000`
	if got := d.Validate().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
