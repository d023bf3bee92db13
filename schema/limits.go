package schema

// Bounds on what is read. Each is far above what people write and far below
// what would hurt.
const (
	// MaxFileSize is the most bytes of one file.
	MaxFileSize = 4 << 20
	// MaxDocuments is the most documents of one file, empty ones included.
	MaxDocuments = 1000
	// MaxDepth is how deep lists and mappings may be nested, aliases followed.
	MaxDepth = 64
	// MaxNodes is the most values of one document, aliases followed.
	MaxNodes = 1 << 19
	// MaxScalar is the most bytes of one text or number.
	MaxScalar = 256 << 10
	// MaxKey is the most bytes of one key of a mapping.
	MaxKey = 1 << 10
	// MaxItems is the most items of one list, or entries of one mapping of names.
	MaxItems = 1000
	// MaxProblems is the most problems that one file is told of.
	MaxProblems = 100
)
