"""The read side: register, case files, history, proof, exports."""
