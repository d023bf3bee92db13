package kubernetes

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berthdev/berth/schema"
)

// errClosed is why a session ends that nobody needs any more.
var errClosed = errors.New("the backend was closed")

// classify makes an error of the API into a [schema.Error]. One that is classified
// already stays as it is.
func classify(op, resource string, err error) error {
	if err == nil {
		return nil
	}
	var done *schema.Error
	if errors.As(err, &done) {
		return done
	}
	e := &schema.Error{Op: op, Resource: resource, Err: reworded{message(err.Error(), "it fails without a reason"), err}}
	e.Kind, e.Hint = meaning(err)
	return e
}

// A reworded error has the cause's chain and a text for people.
type reworded struct {
	text string
	err  error
}

func (e reworded) Error() string { return e.text }
func (e reworded) Unwrap() error { return e.err }

// refusal matches how the API server says what it does not allow.
var refusal = regexp.MustCompile(`cannot (\w+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?`)

// meaning tells what happens next, and what a person can do.
func meaning(err error) (schema.ErrorKind, string) {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var status apierrors.APIStatus
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errClosed):
		return schema.Transient, ""
	case errors.Is(err, context.DeadlineExceeded):
		return schema.Transient, "the API server did not answer in time"
	case errors.As(err, &unknown), errors.As(err, &name):
		return schema.Terminal, "check the cluster's address and certificate-authority in the kubeconfig"
	case apierrors.IsUnauthorized(err):
		return schema.Terminal, "the cluster does not know who Berth is: renew the credentials in the kubeconfig"
	case apierrors.HasStatusCause(err, "NamespaceTerminating"):
		return schema.Transient, "the namespace is being removed"
	case apierrors.IsForbidden(err):
		return forbidden(err.Error())
	case apierrors.IsInvalid(err) && strings.Contains(err.Error(), "provided port is already allocated"):
		return schema.Transient, "another Service has the port on every node: choose another one, or leave out the host port"
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return schema.Invalid, "the cluster refuses the object as it is declared"
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
		return schema.Transient, ""
	case errors.As(err, &status):
		return schema.Transient, "the API server says that it is not well"
	default:
		return schema.Transient, "does the API server run, and may Berth reach it?"
	}
}

// forbidden tells a missing permission, which is named, from what a policy of the
// cluster does not allow.
func forbidden(text string) (schema.ErrorKind, string) {
	m := refusal.FindStringSubmatch(text)
	switch {
	case m != nil:
		where := "in all namespaces"
		if m[4] != "" {
			where = "in namespace " + m[4]
		}
		what := m[2]
		if m[3] != "" {
			what += "." + m[3]
		}
		return schema.Terminal, fmt.Sprintf("let Berth's user %s %s %s: examples/kubernetes has a role for it", m[1], what, where)
	case strings.Contains(text, "exceeded quota"):
		return schema.Waiting, "the namespace's quota is used up: raise it, or remove something"
	default:
		return schema.Terminal, "a policy of the cluster does not allow it"
	}
}

// noNamespace tells whether an object could not be made for want of its namespace.
func noNamespace(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	d := status.Status().Details
	return d != nil && d.Kind == namespaces.resource
}

// unlessGone drops the error that there is no such object, or another one of that
// name.
func unlessGone(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// nameOf names an object for people.
func nameOf(k *kind, o metav1.Object) string {
	if o.GetNamespace() == "" {
		return k.name + " " + o.GetName()
	}
	return fmt.Sprintf("%s %s/%s", k.name, o.GetNamespace(), o.GetName())
}
