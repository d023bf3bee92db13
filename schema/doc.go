// Package schema holds the documents that Berth reads, and nothing that does
// I/O or asks the clock: their types, their decoding with positions, their
// validation, and the JSON Schema of each kind.
//
// The documents are of two sorts. Those in app repositories publish releases:
// Berth's own manifest ([App]) and the forms of Arkitekt (package arkitekt);
// both become the same [Release] and [Flavour] values. Those in the
// desired-state repository declare what shall run: [Deployment] and [Repo].
// [Config] configures the server.
//
// A document is data from strangers. Whatever it holds, decoding returns
// values and [Problems]; it never panics, and never allocates without bound.
package schema
