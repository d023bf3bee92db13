package api

import "testing"

func TestSchemaResolves(t *testing.T) {
	if _, err := New(Options{}); err != nil {
		t.Fatal(err)
	}
}
