#include "kernels/autograd/ops.h"

#include <algorithm>
#include <utility>

#include "kernels/autograd/any_grad.h"
#include "kernels/ops/attention_fused/attention_fused.h"
#include "kernels/ops/broadcast/broadcast.h"
#include "kernels/ops/concat/concat.h"
#include "kernels/ops/elementwise/elementwise.h"
#include "kernels/ops/embed/embed.h"
#include "kernels/ops/grouped_matmul/grouped_matmul.h"
#include "kernels/ops/layernorm/layernorm.h"
#include "kernels/ops/reduce/reduce.h"
#include "kernels/ops/rmsnorm/rmsnorm.h"
#include "kernels/ops/silu_gate/silu_gate.h"
#include "kernels/ops/softmax/softmax.h"
#include "kernels/ops/sum/sum.h"

namespace sv::ad {

Var matmul(Tape& tape, Var x, Var w, Var bias, const ops::Panels& panels) {
  Var y = tape.output(x.shape().with(-1, w.shape()[1]), x.value().dtype, any_grad({x, w, bias}));
  ops::matmul(tape.ctx, x.value(), w.value(), bias.value(), y.value(), panels);
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    ops::matmul_vjp(
        t.ctx, x.value(), w.value(), dy, t.grad_into(x), t.grad_into(w), t.grad_into(bias), panels);
  });
  return y;
}

Var grouped_matmul(Tape& tape, Var x, Var w, Var bias) {
  Var y = tape.output(x.shape().with(-1, w.shape()[2]), x.value().dtype, any_grad({x, w, bias}));
  ops::grouped_matmul(tape.ctx, x.value(), w.value(), bias.value(), y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    ops::grouped_matmul_vjp(
        t.ctx, x.value(), w.value(), dy, t.grad_into(x), t.grad_into(w), t.grad_into(bias));
  });
  return y;
}

Var embed(Tape& tape, const Tensor& ids, Var table, int64_t batch) {
  const int64_t models = table.shape()[0];
  Var y = tape.output(
      {models, batch, ids.dim(2), table.shape()[2]}, table.value().dtype, table.needs_grad());
  ops::embed(tape.ctx, ids, table.value(), y.value());
  tape.record(
      y, [=](Tape& t, const Tensor& dy) { ops::embed_vjp(t.ctx, ids, dy, t.grad_into(table)); });
  return y;
}

Var rmsnorm(Tape& tape, Var x, Var gain, double eps) {
  Var y = tape.output(x.shape(), x.value().dtype, any_grad({x, gain}));
  const int64_t models = x.shape()[0];
  const int64_t rows = x.value().numel() / models / x.shape()[-1];
  const Tensor inv_rms = make_tensor(tape.arena(), {models, rows}, x.value().dtype);
  ops::rmsnorm(tape.ctx, x.value(), gain.value(), eps, y.value(), inv_rms);
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    ops::rmsnorm_vjp(
        t.ctx, x.value(), gain.value(), inv_rms, dy, t.grad_into(x), t.grad_into(gain));
  });
  return y;
}

Var layernorm(Tape& tape, Var x, Var gain, Var bias, double eps) {
  Var y = tape.output(x.shape(), x.value().dtype, any_grad({x, gain, bias}));
  const int64_t models = x.shape()[0];
  const int64_t rows = x.value().numel() / models / x.shape()[-1];
  const Tensor stats = make_tensor(tape.arena(), {models, rows, 2}, x.value().dtype);
  ops::layernorm(tape.ctx, x.value(), gain.value(), bias.value(), eps, y.value(), stats);
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    ops::layernorm_vjp(t.ctx,
                       x.value(),
                       gain.value(),
                       stats,
                       dy,
                       t.grad_into(x),
                       t.grad_into(gain),
                       t.grad_into(bias));
  });
  return y;
}

Var rope(Tape& tape, Var x, int heads, double base, int offset, ops::RopeLayout layout) {
  const ops::Rope rope{heads, base, offset, layout};
  Var y = tape.output(x.shape(), x.value().dtype, x.needs_grad());
  ops::rope(tape.ctx, x.value(), rope, false, y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    const Tensor back = make_tensor(t.arena(), dy.shape, dy.dtype);
    ops::rope(t.ctx, dy, rope, true, back);  // the transpose of a rotation is its inverse
    t.pass_grad(x, back);
  });
  return y;
}

Var attention_pattern(Tape& tape,
                      Var q,
                      Var k,
                      const ops::AttentionMask& mask,
                      int heads,
                      int kv_heads,
                      double scale) {
  const Shape& s = q.shape();
  Var p = tape.output({s[0], s[1], heads, s[2], k.shape()[2]}, q.value().dtype, any_grad({q, k}));
  ops::attention_pattern(tape.ctx, q.value(), k.value(), mask, heads, kv_heads, scale, p.value());
  tape.record(p, [=](Tape& t, const Tensor& dp) {
    ops::attention_pattern_vjp(t.ctx,
                               q.value(),
                               k.value(),
                               p.value(),
                               dp,
                               mask,
                               heads,
                               kv_heads,
                               scale,
                               t.grad_into(q),
                               t.grad_into(k));
  });
  return p;
}

Var attention_mix(Tape& tape, Var p, Var v, int heads, int kv_heads) {
  const Shape& s = p.shape();
  const int64_t head_width = v.shape()[-1] / kv_heads;
  Var o = tape.output({s[0], s[1], s[3], heads * head_width}, p.value().dtype, any_grad({p, v}));
  ops::attention_mix(tape.ctx, p.value(), v.value(), heads, kv_heads, o.value());
  tape.record(o, [=](Tape& t, const Tensor& dout) {
    ops::attention_mix_vjp(
        t.ctx, p.value(), v.value(), dout, heads, kv_heads, t.grad_into(p), t.grad_into(v));
  });
  return o;
}

Var attention_fused(Tape& tape,
                    Var q,
                    Var k,
                    Var v,
                    const ops::AttentionMask& mask,
                    int heads,
                    int kv_heads,
                    double scale) {
  const Shape& s = q.shape();
  Var o = tape.output(s, q.value().dtype, any_grad({q, k, v}));
  const Tensor stats = make_tensor(tape.arena(), {s[0], s[1], heads, s[2], 2}, q.value().dtype);
  const ops::FusedAttention in{q.value(), k.value(), v.value(), mask, heads, kv_heads, scale};
  ops::attention_fused(tape.ctx, in, o.value(), stats);
  tape.record(o, [=](Tape& t, const Tensor& dout) {
    ops::attention_fused_vjp(
        t.ctx, in, o.value(), stats, dout, t.grad_into(q), t.grad_into(k), t.grad_into(v));
  });
  return o;
}

Var silu_gate(Tape& tape, Var x) {
  Var y = tape.output(x.shape().with(-1, x.shape()[-1] / 2), x.value().dtype, x.needs_grad());
  ops::silu_gate(tape.ctx, x.value(), y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    ops::silu_gate_vjp(t.ctx, x.value(), dy, t.grad_into(x));
  });
  return y;
}

Var activate(Tape& tape, ops::Activation kind, Var x) {
  Var y = tape.output(x.shape(), x.value().dtype, x.needs_grad());
  ops::activate(tape.ctx, kind, x.value(), y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    ops::activate_vjp(t.ctx, kind, x.value(), dy, t.grad_into(x));
  });
  return y;
}

Var add(Tape& tape, Var a, Var b) {
  Var y = tape.output(a.shape(), a.value().dtype, any_grad({a, b}));
  ops::add(tape.ctx, a.value(), b.value(), y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    ops::put(t.ctx, dy, t.grad_into(b));
    t.pass_grad(a, dy);
  });
  return y;
}

Var mul(Tape& tape, Var a, Var b) {
  Var y = tape.output(a.shape(), a.value().dtype, any_grad({a, b}));
  ops::mul(tape.ctx, a.value(), b.value(), y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    for (const auto& [x, other] : {std::pair{a, b}, std::pair{b, a}}) {
      if (x.needs_grad()) {
        const Tensor dx = make_tensor(t.arena(), dy.shape, dy.dtype);
        ops::mul(t.ctx, dy, other.value(), dx);
        ops::put(t.ctx, dx, t.grad_into(x));
      }
    }
  });
  return y;
}

Var scale(Tape& tape, Var a, double s) {
  return mix(tape, a, s, {}, 0);
}

Var affine(Tape& tape, Var x, double a, double b) {
  Var y = tape.output(x.shape(), x.value().dtype, x.needs_grad());
  ops::affine(tape.ctx, x.value(), a, b, y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    const Tensor dx = make_tensor(t.arena(), dy.shape, dy.dtype);
    ops::scale(t.ctx, dy, a, dx);
    t.pass_grad(x, dx);
  });
  return y;
}

Var mul_rows(Tape& tape, Var x, Var s) {
  Var y = tape.output(x.shape(), x.value().dtype, any_grad({x, s}));
  ops::mul_rows(tape.ctx, x.value(), s.value(), y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    ops::mul_rows_vjp(t.ctx, x.value(), s.value(), dy, t.grad_into(x), t.grad_into(s));
  });
  return y;
}

Var mul_columns(Tape& tape, Var x, Var g) {
  Var y = tape.output(x.shape(), x.value().dtype, any_grad({x, g}));
  ops::mul_columns(tape.ctx, x.value(), g.value(), y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    const Grad dx = t.grad_into(x);  // x and g may be one value: the first to be written overwrites
    const Grad dg = t.grad_into(g);
    ops::mul_columns_vjp(t.ctx, x.value(), g.value(), dy, dx, dg);
  });
  return y;
}

Var add_columns(Tape& tape, Var x, Var b) {
  Var y = tape.output(x.shape(), x.value().dtype, any_grad({x, b}));
  ops::add_columns(tape.ctx, x.value(), b.value(), y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    ops::add_columns_vjp(t.ctx, dy, {}, t.grad_into(b));
    t.pass_grad(x, dy);
  });
  return y;
}

Var mix(Tape& tape, Var a, double alpha, Var b, double beta) {
  Var y = tape.output(a.shape(), a.value().dtype, any_grad({a, b}));
  if (b) {
    ops::mix(tape.ctx, a.value(), alpha, b.value(), beta, y.value());
  } else {
    ops::scale(tape.ctx, a.value(), alpha, y.value());
  }
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    for (const auto& [x, factor] : {std::pair{a, alpha}, std::pair{b, beta}}) {
      if (x.needs_grad()) {
        const Tensor dx = make_tensor(t.arena(), dy.shape, dy.dtype);
        ops::scale(t.ctx, dy, factor, dx);
        t.pass_grad(x, dx);
      }
    }
  });
  return y;
}

Var concat(Tape& tape, Var a, Var b) {
  Var y = tape.output(
      a.shape().with(-1, a.shape()[-1] + b.shape()[-1]), a.value().dtype, any_grad({a, b}));
  ops::concat(tape.ctx, a.value(), b.value(), y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    const Grad da = t.grad_into(a);  // a and b may be one value: the first to be written overwrites
    const Grad db = t.grad_into(b);
    ops::concat_vjp(t.ctx, dy, da, db);
  });
  return y;
}

Var reshape(Tape& tape, Var x, const Shape& shape) {
  Var y = tape.alias(x);
  y->value = y->value.reshape(shape);
  tape.record(y, [=](Tape& t, const Tensor& dy) { t.pass_grad(x, dy); });
  return y;
}

Var choose(Tape& tape, Var a, std::span<const int> models, Var b) {
  const std::span<const int> live = tape.ctx.models;
  const auto m_total = static_cast<int>(a.shape()[0]);
  int* others = tape.host().alloc_n<int>(static_cast<size_t>(m_total));
  size_t count = 0;
  for (int m = 0; m < m_total; ++m) {
    const auto in = [&](std::span<const int> list) {
      return std::find(list.begin(), list.end(), m) != list.end();
    };
    if ((live.empty() || in(live)) && !in(models)) {
      others[count++] = m;
    }
  }
  const std::span<const int> rest{others, count};
  Var y = tape.output(a.shape(), a.value().dtype, any_grad({a, b}));
  const auto each = [&](auto&& f) {
    for (const auto& [x, list] : {std::pair{a, models}, std::pair{b, rest}}) {
      if (!list.empty()) {
        tape.ctx.models = list;
        f(x);
      }
    }
    tape.ctx.models = live;
  };
  each([&](Var x) { ops::put(tape.ctx, x.value(), {y.value(), GradientMode::overwrite}); });
  each([&](Var x) {
    // Two records for one output: each routes its own models.
    tape.record(y, [=](Tape& t, const Tensor& dy) { ops::put(t.ctx, dy, t.grad_into(x)); });
  });
  return y;
}

Var softmax(Tape& tape, Var x) {
  Var y = tape.output(x.shape(), x.value().dtype, x.needs_grad());
  ops::softmax(tape.ctx, x.value(), y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    ops::softmax_vjp(t.ctx, y.value(), dy, t.grad_into(x));
  });
  return y;
}

Var mean_positions(Tape& tape, Var x) {
  const Shape& s = x.shape();
  Var y = tape.output({s[0], s[1], s[3]}, x.value().dtype, x.needs_grad());
  ops::mean_positions(tape.ctx, x.value(), y.value());
  tape.record(
      y, [=](Tape& t, const Tensor& dy) { ops::mean_positions_vjp(t.ctx, dy, t.grad_into(x)); });
  return y;
}

Var sum(Tape& tape, Var x) {
  Var y = tape.output({x.shape()[0]}, x.value().dtype, x.needs_grad());
  ops::sum(tape.ctx, x.value(), y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) { ops::sum_vjp(t.ctx, dy, t.grad_into(x)); });
  return y;
}

Var sum_last(Tape& tape, Var x) {
  Var y = tape.output(x.shape().without_last(), x.value().dtype, x.needs_grad());
  ops::sum_last(tape.ctx, x.value(), y.value());
  tape.record(y, [=](Tape& t, const Tensor& dy) { ops::sum_last_vjp(t.ctx, dy, t.grad_into(x)); });
  return y;
}

}  // namespace sv::ad
