package api

import (
	"context"
	"encoding/json"

	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/internal/access"
)

// Bounds on answers that were made and that their clients did not read yet.
const (
	maxAnswers  = 64 << 20 // bytes of all
	smallAnswer = 16 << 10 // bytes of one that is not counted: connections are bounded too
	errorSize   = 512      // bytes of an error, roughly
)

// hold counts an answer until done is called; a refusal says that too much waits
// already. An answer is taken to be read where nobody says otherwise.
func (a *API) hold(ctx context.Context, answer *graphql.Response) (done func(), refusal *refusal) {
	n := len(answer.Data) + errorSize*len(answer.Errors)
	if n <= smallAnswer {
		return func() {}, nil
	}
	caller := access.From(ctx)
	if refusal := a.answers.take(caller, n); refusal != nil {
		return nil, refusal
	}
	return func() { a.answers.give(caller, n) }, nil
}

// inJSON returns the parts of an answer as it is written. Data is JSON already: it
// is not copied.
func inJSON(answer *graphql.Response) ([][]byte, error) {
	if len(answer.Errors) == 0 && len(answer.Data) > 0 && answer.Extensions == nil {
		return [][]byte{[]byte(`{"data":`), answer.Data, []byte("}")}, nil
	}
	text, err := json.Marshal(answer)
	return [][]byte{text}, err
}
