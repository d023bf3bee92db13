// Package arkitekt reads the files in which Arkitekt's tools publish apps, in
// every form that they had over the years, and turns them into the releases
// and flavours of package schema.
//
// They are data of others, so they are read leniently: keys in camelCase,
// snake_case or any letter case, numbers and booleans in quotes or bare, single
// values and mappings where a list is expected, nulls, and keys that nobody
// knows. A version is the text that stands there, whatever YAML takes it for.
//
// A file is a list of entries, and an entry is one flavour of one release. No
// entry gets lost: each becomes one release with one flavour, in the file's
// order, or, if it names no identifier, version or image, one error with its
// position. Only the form in the documentation holds several flavours in an
// entry, and each of them stands or falls by itself. A value that is optional
// and cannot be used is passed over with a notice; a selector that says nothing
// at all is an error, for the flavour would run where it should not, but takes
// nothing else with it.
package arkitekt
