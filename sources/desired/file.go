package desired

type file struct{}
