"""SUV: body-weight standardised uptake value, from what was written down about a scan to a factor.

``SUVbw = A * W / (D * 2^(-dt / T_half))`` with the activity concentration A in Bq/mL, the body weight W in g,
the injected activity D in Bq and the time dt from injection to the decay reference (suv.md section 2).
"""
