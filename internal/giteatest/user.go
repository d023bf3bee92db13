package giteatest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// A User acts on the forge under a name of its own.
type User struct {
	Name, Password string

	forge *Forge
}

// NewUser adds a user without any rights on what others own.
func (f *Forge) NewUser(name string) *User {
	f.t.Helper()
	u := &User{Name: name, Password: "secret-of-" + name, forge: f}
	f.Admin.Do(http.MethodPost, "admin/users", map[string]any{
		"username": name, "password": u.Password, "email": name + "@forge.invalid", "must_change_password": false,
	}, nil)
	return u
}

// Token makes an access token, which stands for the password, with rights such as
// "write:repository" and "write:issue". They are listed at
// https://docs.gitea.com/development/oauth2-provider#scopes.
func (u *User) Token(name string, rights ...string) string {
	u.forge.t.Helper()
	var made struct {
		Token string `json:"sha1"`
	}
	u.Do(http.MethodPost, "users/"+u.Name+"/tokens", map[string]any{"name": name, "scopes": rights}, &made)
	return made.Token
}

// NewRepo makes an empty repository that anyone may read.
func (u *User) NewRepo(name string) *Repo {
	u.forge.t.Helper()
	u.Do(http.MethodPost, "user/repos", map[string]any{"name": name}, nil)
	return &Repo{Owner: u.Name, Name: name, user: u}
}

// Do asks the API, whose paths are told at https://docs.gitea.com/api, and takes
// the answer into what answer points at; nil: into nothing. What the forge refuses
// ends the test.
func (u *User) Do(method, path string, body, answer any) {
	u.forge.t.Helper()
	if err := u.do(method, path, body, answer); err != nil {
		u.forge.t.Fatal(err)
	}
}

func (u *User) do(method, path string, body, answer any) error {
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequest(method, u.forge.URL+"/api/v1/"+path, bytes.NewReader(sent))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.SetBasicAuth(u.Name, u.Password)
	response, err := u.forge.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, data)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(data, answer)
}

// list returns all that a path of the API lists.
func list[T any](u *User, path string) []T {
	u.forge.t.Helper()
	const size = 50 // no more are told at once
	var all []T
	for page := 1; ; page++ {
		var some []T
		u.Do(http.MethodGet, fmt.Sprintf("%s?limit=%d&page=%d", path, size, page), nil, &some)
		all = append(all, some...)
		if len(some) < size {
			return all
		}
	}
}
