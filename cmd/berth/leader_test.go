package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	kubetesting "k8s.io/client-go/testing"

	"github.com/berthdev/berth/internal/kubetest"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
)

func stand(t *testing.T, client coordination.LeasesGetter, namespace, who string, log io.Writer) *election {
	t.Helper()
	e, err := newElection(client, metav1.ObjectMeta{Namespace: namespace, Name: "berth-lab"}, who, usualLease, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// awaitTenure waits until the replica leads, or does not.
func awaitTenure(t *testing.T, e *election, leads bool) tenure {
	t.Helper()
	deadline := time.After(patience)
	for {
		now := e.tenure()
		if now.leads == leads {
			return now
		}
		select {
		case <-now.over:
		case <-deadline:
			t.Fatalf("it leads: %t, and did not change within %s", now.leads, patience)
		}
	}
}

// TestElection: one of two replicas leads, the other knows who, and leads as soon
// as the first one goes.
func TestElection(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { testElection(t, fake.NewClientset().CoordinationV1(), "berth") })
	})
	t.Run("cluster", func(t *testing.T) {
		c := kubetest.New(t)
		client, err := coordination.NewForConfig(c.Config)
		if err != nil {
			t.Fatal(err)
		}
		testElection(t, client, c.Namespace(t))
	})
}

func testElection(t *testing.T, client coordination.LeasesGetter, namespace string) {
	first := stand(t, client, namespace, "berth-a_1", t.Output())
	awaitTenure(t, first, true)
	second := stand(t, client, namespace, "berth-b_2", t.Output())
	defer second.close()
	waiting := second.tenure()
	ready := waiting.ready(func() (bool, string) { return true, "" })
	await(t, func() bool { _, why := ready(); return why == "on standby, berth-a leads" })
	if waiting.leads {
		t.Fatal("both lead")
	}
	began := time.Now()
	first.close()
	awaitTenure(t, second, true)
	if took := time.Since(began); took > usualLease.holds {
		t.Errorf("taken over after %s: the Lease was not given back", took)
	}
}

func await(t *testing.T, met func() bool) {
	t.Helper()
	for begun := time.Now(); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatal("it did not happen")
		}
	}
}

// TestLeaseIsLost: who cannot renew its Lease stops before another one may lead,
// says why, does not give back what may be another's, and leads again later.
func TestLeaseIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		var away atomic.Bool
		client.PrependReactor("*", "leases", func(kubetesting.Action) (bool, runtime.Object, error) {
			return away.Load(), nil, errors.New("no route to host")
		})
		log := &lockedLog{}
		e := stand(t, client.CoordinationV1(), "berth", "berth-a_1", log)
		defer e.close()
		leading := awaitTenure(t, e, true)

		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		go leading.end(ctx, cancel)
		away.Store(true)
		began := time.Now()
		<-ctx.Done()
		if cause := context.Cause(ctx); !errors.Is(cause, engine.ErrDeposed) {
			t.Errorf("it ended because: %v", cause)
		}
		if took := time.Since(began); took >= usualLease.holds {
			t.Errorf("told after %s; another one may lead after %s", took, usualLease.holds)
		}
		if e.tenure().leads {
			t.Error("it leads yet")
		}
		away.Store(false)
		awaitTenure(t, e, true)
		if n := strings.Count(log.text(), "no route to host"); n != 1 {
			t.Errorf("the reason is told %d times:\n%s", n, log.text())
		}
	})
}

// TestLeaseOfAnother: what is given back is one's own.
func TestLeaseOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		other, seconds, now := "berth-b_2", int32(3600), metav1.NowMicro()
		lease := &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "berth", Name: "berth-lab"},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &other, LeaseDurationSeconds: &seconds, RenewTime: &now, AcquireTime: &now},
		}
		if _, err := client.CoordinationV1().Leases("berth").Create(t.Context(), lease, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		e := stand(t, client.CoordinationV1(), "berth", "berth-a_1", t.Output())
		await(t, func() bool { return e.leaderName() == "berth-b" })
		e.close()
		held, err := client.CoordinationV1().Leases("berth").Get(t.Context(), "berth-lab", metav1.GetOptions{})
		if err != nil || *held.Spec.HolderIdentity != other {
			t.Errorf("held by %q, %v", *held.Spec.HolderIdentity, err)
		}
	})
}

// TestTenureEndsInstances: on standby, the end of the tenure is the beginning of
// the next instance; an instance that ended leaves nothing behind.
func TestTenureEndsInstances(t *testing.T) {
	over := make(chan struct{})
	close(over)
	ctx, cancel := context.WithCancelCause(t.Context())
	tenure{over: over}.end(ctx, cancel)
	if !errors.Is(context.Cause(ctx), errLeads) {
		t.Errorf("it ended because: %v", context.Cause(ctx))
	}
	alone.end(ctx, cancel) // returns, for the instance has ended
}

// TestCandidate: who cannot stand as is configured now stands as before; who need not
// any more gives its Lease back.
func TestCandidate(t *testing.T) {
	client := fake.NewClientset()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	cfg := &schema.Config{Instance: "lab", LeaderElection: schema.LeaderElection{Enabled: true}}
	own := candidate{stand(t, client.CoordinationV1(), "berth", "berth-a_1", t.Output()), candidacyOf(cfg)}
	awaitTenure(t, own.vote, true)
	if err := own.stand(cfg, log); err != nil {
		t.Fatal(err) // it stands
	}
	other := *cfg
	other.LeaderElection.Lease = "another"
	other.Backends = []schema.BackendConfig{{Name: "cluster", Type: schema.BackendKubernetes, Kubeconfig: filepath.Join(t.TempDir(), "missing")}}
	if err := own.stand(&other, log); schema.KindOf(err) != schema.Terminal {
		t.Errorf("without a cluster: %v", err)
	}
	if !own.vote.tenure().leads || own.at != candidacyOf(cfg) {
		t.Error("it does not stand as before")
	}
	if err := own.stand(&schema.Config{Instance: "lab"}, log); err != nil || own.vote != nil || !own.vote.tenure().leads {
		t.Errorf("alone: %+v, %v", own, err)
	}
	lease, err := client.CoordinationV1().Leases("berth").Get(t.Context(), "berth-lab", metav1.GetOptions{})
	if err != nil || *lease.Spec.HolderIdentity != "" {
		t.Errorf("the Lease is held by %q, %v", *lease.Spec.HolderIdentity, err)
	}
}

// TestCandidacyCannotBe: a changed configuration whose leader election cannot be had
// does not end the server.
func TestCandidacyCannotBe(t *testing.T) {
	dir := t.TempDir()
	file, good := filepath.Join(dir, "berth.yaml"), filepath.Join(dir, "kubeconfig")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, "first")
	write(good, `{"clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}], "contexts": [{"name": "c", "context": {"cluster": "c"}}], "current-context": "c"}`)
	load := func() (*schema.Config, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		cfg := &schema.Config{Instance: "lab", Listen: "127.0.0.1:0", DataDir: filepath.Join(dir, "data")}
		cfg.Desired.URL = filepath.Join(dir, "desired")
		cfg.Backends = []schema.BackendConfig{{Name: "cluster", Type: schema.BackendKubernetes, Kubeconfig: good}}
		if string(text) != "first" {
			cfg.Backends[0].Kubeconfig, cfg.LeaderElection.Enabled = filepath.Join(dir, "missing"), true
		}
		return cfg, complete(cfg)
	}
	log := &lockedLog{}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, console{out: io.Discard, err: log}, load, file, false) }()
	await(t, func() bool { return strings.Contains(log.text(), " serves") })
	await(t, func() bool {
		if !strings.Contains(log.text(), "the configuration changed") {
			write(file, "second") // again until the file is watched
		}
		select {
		case err := <-ended:
			t.Fatalf("it ended: %v\n%s", err, log.text())
		default:
		}
		_, after, again := strings.Cut(log.text(), "the former one is taken again")
		return again && strings.Contains(after, " serves")
	})
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestAlone(t *testing.T) {
	e, err := standFor(&schema.Config{}, slog.New(slog.DiscardHandler))
	if err != nil || e != nil || !e.tenure().leads {
		t.Errorf("%v, %v", e, err)
	}
	e.close()
}
