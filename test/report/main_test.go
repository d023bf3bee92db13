package main

import (
	"bytes"
	"strings"
	"testing"
)

const sample = `{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"pass","Package":"p","Test":"TestGood","Elapsed":0.1}
{"Action":"output","Package":"p","Test":"TestBad","Output":"    x_test.go:3: broken\n"}
{"Action":"fail","Package":"p","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"p","Test":"TestNone","Output":"=== RUN   TestNone\n"}
{"Action":"output","Package":"p","Test":"TestNone","Output":"    x_test.go:9: no engine answers\n"}
{"Action":"skip","Package":"p","Test":"TestNone","Elapsed":0}
{"Action":"fail","Package":"p","Elapsed":1.5}
{"Action":"output","Package":"q","Output":"panic: boom\n"}
{"Action":"fail","Package":"q","Elapsed":0}
not json
`

func TestReport(t *testing.T) {
	var out bytes.Buffer
	r := &report{out: &out, output: map[string][]string{}, inFailed: map[string]bool{}}
	if err := r.read(strings.NewReader(sample)); err != nil {
		t.Fatal(err)
	}
	if code := r.close(false); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, want := range []string{"--- FAIL p TestBad", "broken", "FAIL q\npanic: boom", "skipped: p TestNone: x_test.go:9: no engine answers", "1 passed, 2 failed, 1 skipped", "not json"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
}

func TestSkipsFailOnlyInCI(t *testing.T) {
	for ci, want := range map[bool]int{true: 1, false: 0} {
		r := &report{out: &bytes.Buffer{}, passed: 1, skipped: 1}
		if code := r.close(ci); code != want {
			t.Errorf("ci %v: exit code %d, want %d", ci, code, want)
		}
	}
}
