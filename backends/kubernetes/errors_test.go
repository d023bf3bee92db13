package kubernetes

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apischema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/berthdev/berth/schema"
)

func TestClassify(t *testing.T) {
	web := apischema.GroupResource{Group: "apps", Resource: "deployments"}
	status := func(code int, reason metav1.StatusReason, text string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Code: int32(code), Reason: reason, Message: text}}
	}
	terminating := apierrors.NewForbidden(web, "web", errors.New("unable to create new content in namespace a because it is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: "NamespaceTerminating"}}
	for name, test := range map[string]struct {
		err  error
		kind schema.ErrorKind
		hint string // it holds this
	}{
		"cancelled":   {fmt.Errorf("get: %w", context.Canceled), schema.Transient, ""},
		"late":        {context.DeadlineExceeded, schema.Transient, "in time"},
		"refused":     {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, schema.Transient, "does the API server run"},
		"certificate": {x509.UnknownAuthorityError{}, schema.Terminal, "certificate-authority"},
		"stranger":    {apierrors.NewUnauthorized("Unauthorized"), schema.Terminal, "renew the credentials"},
		"namespaced right": {
			status(http.StatusForbidden, metav1.StatusReasonForbidden, `deployments.apps "web" is forbidden: User "system:serviceaccount:a:b" cannot patch resource "deployments" in API group "apps" in the namespace "lab"`),
			schema.Terminal, "let Berth's user patch deployments.apps in namespace lab",
		},
		"right in all": {
			status(http.StatusForbidden, metav1.StatusReasonForbidden, `nodes is forbidden: User "x" cannot list resource "nodes" in API group "" at the cluster scope`),
			schema.Terminal, "let Berth's user list nodes in all namespaces",
		},
		"quota":       {apierrors.NewForbidden(web, "web", errors.New("exceeded quota: small")), schema.Waiting, "quota"},
		"policy":      {apierrors.NewForbidden(web, "web", errors.New("admission denied it")), schema.Terminal, "policy"},
		"terminating": {terminating, schema.Transient, "being removed"},
		"invalid":     {apierrors.NewInvalid(apischema.GroupKind{Kind: "Deployment"}, "web", nil), schema.Invalid, "as it is declared"},
		"port taken": {
			status(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, `Service "web" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated`),
			schema.Transient, "another Service has the port",
		},
		"conflict": {apierrors.NewConflict(web, "web", errors.New("changed")), schema.Transient, ""},
		"missing":  {apierrors.NewNotFound(web, "web"), schema.Transient, ""},
		"busy":     {apierrors.NewTooManyRequests("later", 1), schema.Transient, "not well"},
		"broken":   {apierrors.NewInternalError(errors.New("etcd")), schema.Transient, "not well"},
		"done":     {&schema.Error{Op: "x", Kind: schema.Waiting, Hint: "wait"}, schema.Waiting, "wait"},
	} {
		var e *schema.Error
		if err := classify("apply", "web", test.err); !errors.As(err, &e) || e.Kind != test.kind || !strings.Contains(e.Hint, test.hint) {
			t.Errorf("%s: %+v, want kind %s and a hint with %q", name, e, test.kind, test.hint)
		} else if name != "done" && !errors.Is(err, test.err) {
			t.Errorf("%s: the cause is lost", name)
		}
	}
	if classify("apply", "web", nil) != nil {
		t.Error("no error became one")
	}
	long := classify("apply", "web", errors.New(strings.Repeat("long\n", 1000))).Error()
	if len(long) > 500 || strings.Contains(long, "\n") {
		t.Errorf("an error of %d bytes", len(long))
	}
}

func TestNoNamespace(t *testing.T) {
	if !noNamespace(apierrors.NewNotFound(apischema.GroupResource{Resource: "namespaces"}, "lab")) {
		t.Error("a namespace that is missing is not known as one")
	}
	for _, err := range []error{
		nil, errors.New("other"), apierrors.NewNotFound(apischema.GroupResource{Resource: "deployments"}, "web"),
	} {
		if noNamespace(err) {
			t.Errorf("%v is taken for a missing namespace", err)
		}
	}
}
