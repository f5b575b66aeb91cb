// The differentiable losses of ops.h.
#include "kernels/autograd/any_grad.h"
#include "kernels/autograd/ops.h"
#include "kernels/ops/linear_xent/linear_xent.h"
#include "kernels/ops/nll/nll.h"
#include "kernels/ops/sigmoid_xent/sigmoid_xent.h"
#include "kernels/ops/softmax_xent/softmax_xent.h"

namespace sv::ad {

Var softmax_xent(Tape& tape, Var logits, const Tensor& targets, const Tensor& weight, Tensor* nll) {
  const Shape rows = logits.shape().without_last();
  const DType dtype = logits.value().dtype;
  Var loss = tape.output({rows[0]}, dtype, logits.needs_grad());
  const Tensor nll_MBT = make_tensor(tape.arena(), rows, dtype);
  const Tensor logz_MBT = make_tensor(tape.arena(), rows, dtype);
  ops::softmax_xent(tape.ctx, logits.value(), targets, weight, loss.value(), nll_MBT, logz_MBT);
  if (nll != nullptr) {
    *nll = nll_MBT;
  }
  tape.record(loss, [=](Tape& t, const Tensor& dloss) {
    ops::softmax_xent_vjp(
        t.ctx, logits.value(), targets, weight, logz_MBT, dloss, t.grad_into(logits));
  });
  return loss;
}

Var linear_xent(
    Tape& tape, Var x, Var w, Var bias, const Tensor& targets, const Tensor& weight, Tensor* nll) {
  const Shape rows = x.shape().without_last();
  const DType dtype = x.value().dtype;
  Var loss = tape.output({rows[0]}, dtype, any_grad({x, w, bias}));
  const Tensor nll_MBT = make_tensor(tape.arena(), rows, dtype);
  const Tensor logz_MBT = make_tensor(tape.arena(), rows, dtype);
  const ops::LinearXentInputs in{x.value(), w.value(), bias.value(), targets, weight};
  ops::linear_xent(tape.ctx, in, loss.value(), nll_MBT, logz_MBT);
  if (nll != nullptr) {
    *nll = nll_MBT;
  }
  tape.record(loss, [=](Tape& t, const Tensor& dloss) {
    ops::linear_xent_vjp(
        t.ctx, in, logz_MBT, dloss, t.grad_into(x), t.grad_into(w), t.grad_into(bias));
  });
  return loss;
}

Var sigmoid_xent(Tape& tape, Var logit, const Tensor& target, const Tensor& weight) {
  Var loss = tape.output({logit.shape()[0]}, logit.value().dtype, logit.needs_grad());
  ops::sigmoid_xent(tape.ctx, logit.value(), target, weight, loss.value());
  tape.record(loss, [=](Tape& t, const Tensor& dloss) {
    ops::sigmoid_xent_vjp(t.ctx, logit.value(), target, weight, dloss, t.grad_into(logit));
  });
  return loss;
}

Var nll(Tape& tape, ops::LossKind kind, Var logits, const Tensor& targets) {
  const DType dtype = logits.value().dtype;
  Var loss = tape.output(logits.shape().without_last(), dtype, logits.needs_grad());
  const Tensor logz_MBT = make_tensor(tape.arena(), loss.shape(), DType::f64);
  ops::nll(tape.ctx, kind, logits.value(), targets, loss.value(), logz_MBT);
  tape.record(loss, [=](Tape& t, const Tensor& dloss) {
    ops::nll_vjp(t.ctx, kind, logits.value(), targets, logz_MBT, dloss, t.grad_into(logits));
  });
  return loss;
}

}  // namespace sv::ad
