package catalog

// A Catalog is everything that the app repositories publish.
type Catalog struct{}
