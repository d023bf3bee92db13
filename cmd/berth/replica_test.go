package main

import "testing"

func TestReplicaNames(t *testing.T) {
	for _, address := range []string{"10.1.2.3:8484", "[fd00::1]:8484", "berth.example.org:80", ""} {
		who, err := replicaName(address)
		if err != nil || addressOf(who) != address || personal(who) == "" {
			t.Errorf("%q is %q at %q, %v", who, personal(who), addressOf(who), err)
		}
	}
	for who, want := range map[string]string{"": "", "berth-a_1f": "", "lab_1_1f2e3d4c_10.0.0.1:80": "10.0.0.1:80"} {
		if got := addressOf(who); got != want {
			t.Errorf("%q is at %q, want %q", who, got, want)
		}
	}
}

func TestOwnAddress(t *testing.T) {
	const cluster = "https://127.0.0.1:6443"
	for listen, want := range map[string]string{
		"127.0.0.1:8484":    "", // nobody else reaches it
		"localhost:8484":    "",
		"10.1.2.3:8484":     "10.1.2.3:8484",
		"berth.lab:8484":    "berth.lab:8484",
		"0.0.0.0:8484":      "127.0.0.1:8484",
		":8484":             "127.0.0.1:8484",
		"[::]:8484":         "127.0.0.1:8484",
		"0.0.0.0:0":         "", // it is not known yet
		"what is this even": "",
	} {
		if got := ownAddress(listen, cluster); got != want {
			t.Errorf("%q: %q, want %q", listen, got, want)
		}
	}
	for _, cluster := range []string{"https://no such host", ""} {
		if got := ownAddress(":8484", cluster); got != "" {
			t.Errorf("%q: %q", cluster, got)
		}
	}
	if got := ownAddress(":8484", "127.0.0.2:6443"); got == "" || got == "[::1]:8484" { // a kubeconfig may leave https:// out
		t.Errorf("%q", got)
	}
	if got := ownAddress("0.0.0.0:8484", "https://[::1]:6443"); got != "" { // IPv4 is listened on alone
		t.Errorf("%q", got)
	}
}
