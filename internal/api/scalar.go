package api

import (
	"fmt"
	"strings"
	"time"

	graphql "github.com/graph-gophers/graphql-go"
)

// id is the scalar ID. The library's own writes what is no JSON where an ID holds
// control characters, which names of others may.
type id string

// ImplementsGraphQLType tells the library which scalar this is.
func (id) ImplementsGraphQLType(name string) bool { return name == "ID" }

// UnmarshalGraphQL reads an argument.
func (i *id) UnmarshalGraphQL(input any) error {
	text, ok := input.(string)
	if !ok {
		return fmt.Errorf("an ID is a text, not %T", input)
	}
	*i = id(text)
	return nil
}

// byteCount is the scalar Bytes: a number of bytes.
type byteCount int64

// ImplementsGraphQLType tells the library which scalar this is.
func (byteCount) ImplementsGraphQLType(name string) bool { return name == "Bytes" }

// UnmarshalGraphQL refuses: no argument is of this type.
func (*byteCount) UnmarshalGraphQL(any) error { return fmt.Errorf("bytes are never asked for") }

// moment returns a time as it is told.
func moment(t time.Time) graphql.Time { return graphql.Time{Time: t.UTC()} }

// momentOrNone returns nothing for the zero time.
func momentOrNone(t time.Time) *graphql.Time {
	if t.IsZero() {
		return nil
	}
	m := moment(t)
	return &m
}

// orNone returns nothing for the zero value.
func orNone[T, V comparable](v V, as func(V) T) *T {
	var zero V
	if v == zero {
		return nil
	}
	t := as(v)
	return &t
}

// count returns a length or number as the schema tells it.
func count[N int | uint16](n N) int32 { return int32(n) }

var enumSpelling = strings.NewReplacer(" ", "_", "-", "_")

// enum returns the schema's name of a value: NOT_MATCHED of "not matched".
func enum[T ~string](value T) string { return strings.ToUpper(enumSpelling.Replace(string(value))) }
