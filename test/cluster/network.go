package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// forwardRule lets pods reach each other where others forbid to forward what
// they do not know, as Docker does.
var forwardRule = []string{"FORWARD", "-i", bridge, "-o", bridge, "-m", "comment", "--comment", "berth cluster", "-j", "ACCEPT"}

// connect makes the bridge of the pods with the node's address. Pods reach each
// other and this machine; nothing leads them further.
func (c *cluster) connect(ctx context.Context) error {
	// Services change the address of what crosses the bridge, which needs both.
	// Where the second is not built in it is a module.
	if _, err := os.Stat("/proc/sys/net/bridge"); err != nil {
		if err := command(ctx, "modprobe", "br_netfilter"); err != nil {
			return err
		}
	}
	for _, setting := range []string{"net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"} {
		if err := enable("/proc/sys/" + setting); err != nil {
			return err
		}
	}
	for _, args := range [][]string{
		{"ip", "link", "add", bridge, "type", "bridge"},
		{"ip", "address", "add", nodeCIDR, "dev", bridge},
		{"ip", "link", "set", bridge, "up"},
	} {
		if err := command(ctx, args...); err != nil {
			return err
		}
	}
	if _, err := exec.LookPath("iptables"); err != nil {
		return nil // who has none forbids nothing with it
	}
	return command(ctx, append([]string{"iptables", "-I"}, forwardRule...)...)
}

// disconnect removes what connect and the cluster's parts made of the network.
// It is the same whether all of it is there or nothing: what is not there is no error.
func (c *cluster) disconnect(ctx context.Context) {
	for _, args := range [][]string{
		{"ip", "link", "delete", bridge},
		append([]string{"iptables", "-D"}, forwardRule...),
		{"nft", "delete", "table", "ip", "kube-proxy"},
		{"nft", "delete", "table", "ip6", "kube-proxy"},
	} {
		_ = command(ctx, args...)
	}
}

// enable sets a kernel's switch, if it is off.
func enable(file string) error {
	state, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("the kernel has no %s: %w", file, err)
	}
	if strings.TrimSpace(string(state)) != "0" {
		return nil
	}
	say("switching on %s", file)
	return os.WriteFile(file, []byte("1"), 0o644)
}

func command(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
